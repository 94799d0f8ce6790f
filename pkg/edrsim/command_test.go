package edrsim_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edrsim"
)

// fast is a server whose check-ins and commands take next to no real time.
var fast = edrsim.Config{Token: "token", TimeScale: 1000, Seed: 1}

const (
	notFound     = 0x80070002
	pathNotFound = 0x80070003
	denied       = 0x80070005
	sharing      = 0x80070020
	fileExists   = 0x80070050
	invalid      = 0x80070057
	exists       = 0x800700B7
	badExe       = 0x800700C1
	badDirectory = 0x8007010B
)

func TestFilesOfAnEndpoint(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	content := []byte("put and got\r\n")
	const path = `c:\windows\temp\x.txt`
	id := c.upload(s, content)

	c.want(s, 0, m{"name": "put file", "object": path, "file_id": id})
	if got := c.download(s, strings.ToUpper(path)); !bytes.Equal(got, content) {
		t.Errorf("got %q, want %q", got, content)
	}
	c.want(s, fileExists, m{"name": "put file", "object": path, "file_id": id})
	c.want(s, pathNotFound, m{"name": "put file", "object": `c:\no\such\dir`, "file_id": id})
	c.want(s, denied, m{"name": "put file", "object": `c:\windows\temp`, "file_id": id})
	c.want(s, 0, m{"name": "delete file", "object": path})
	c.want(s, notFound, m{"name": "delete file", "object": path})
	c.want(s, notFound, m{"name": "get file", "object": path})
	c.want(s, sharing, m{"name": "get file", "object": `C:\pagefile.sys`})
	c.want(s, 0, m{"name": "create directory", "object": `C:\Windows\Temp\new`})
	c.want(s, exists, m{"name": "create directory", "object": `C:\Windows\Temp\NEW`})
	c.want(s, pathNotFound, m{"name": "create directory", "object": `C:\a\b`})
}

func TestPartsOfAFile(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	c.sim.WriteFile(1, `C:\part.bin`, []byte("0123456789"))
	for _, tc := range []struct {
		name  string
		extra m
		want  string
	}{
		{"from an offset", m{"offset": 4}, "456789"},
		{"a count", m{"get_count": 3}, "012"},
		{"both, as text", m{"offset": "2", "get_count": "5"}, "23456"},
		{"a count past the end", m{"offset": 8, "get_count": 100}, "89"},
		{"an offset past the end", m{"offset": 11}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := m{"name": "get file", "object": `C:\part.bin`}
			for k, v := range tc.extra {
				req[k] = v
			}
			got := c.want(s, 0, req)
			_, b := c.raw("GET", s+"/file/"+num(got["file_id"])+"/content", "", nil)
			if string(b) != tc.want {
				t.Errorf("got %q, want %q", b, tc.want)
			}
		})
	}
}

func TestDirectoryList(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	names := func(pattern string) []string {
		got := c.want(s, 0, m{"name": "directory list", "object": pattern})
		var list []string
		for _, f := range got["files"].([]any) {
			list = append(list, f.(m)["filename"].(string))
		}
		return list
	}
	for pattern, want := range map[string][]string{
		`C:\Users\`:           {".", "..", "alice", "Default", "Public"},
		`C:\Users\*`:          {".", "..", "alice", "Default", "Public"},
		`C:\Users`:            {"Users"},
		`C:\Users\*l*`:        {"alice", "Default", "Public"},
		`c:/windows/win.ini`:  {"win.ini"},
		`C:\Windows\win.?n?`:  {"win.ini"},
		`C:\Windows\..\Users`: {"Users"},
	} {
		if got := names(pattern); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
	}
	c.want(s, notFound, m{"name": "directory list", "object": `C:\Users\nobody*`})
	c.want(s, notFound, m{"name": "directory list", "object": `C:\nobody`})
	c.want(s, pathNotFound, m{"name": "directory list", "object": `C:\nobody\*`})
}

func TestKillEndsAProcess(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	pids := func() (list []float64) {
		for _, p := range c.want(s, 0, m{"name": "process list"})["processes"].([]any) {
			list = append(list, p.(m)["pid"].(float64))
		}
		return list
	}
	if !slices.Contains(pids(), 2640) {
		t.Fatal("notepad does not run")
	}
	got := c.want(s, 0, m{"name": "kill", "object": 2640})
	if got["object"] != float64(2640) {
		t.Errorf("object = %v, want it echoed as the number sent", got["object"])
	}
	if slices.Contains(pids(), 2640) {
		t.Error("notepad still runs")
	}
	c.want(s, invalid, m{"name": "kill", "object": "2640"})
	c.want(s, denied, m{"name": "kill", "object": "4"})
	c.want(s, invalid, m{"name": "kill", "object": "notepad"})
}

func TestRegistry(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	const key = `HKLM\SOFTWARE\edrsim`
	c.want(s, notFound, m{"name": "reg set value", "object": key + `\v`, "value_data": "x", "value_type": "REG_SZ"})
	c.want(s, 0, m{"name": "reg create key", "object": key})
	for _, tc := range []struct {
		typ        string
		sent, want any
	}{
		{"REG_SZ", "text", "text"},
		{"REG_EXPAND_SZ", `%windir%\x`, `%windir%\x`},
		{"REG_MULTI_SZ", []any{"a", "b"}, []any{"a", "b"}},
		{"REG_DWORD", 7, float64(7)},
		{"REG_DWORD", "4294967295", float64(4294967295)},
		{"REG_QWORD", 1 << 40, float64(1 << 40)},
		{"REG_BINARY", "deadbeef", "deadbeef"},
	} {
		c.want(s, 0, m{"name": "reg set value", "object": key + `\v`, "value_data": tc.sent, "value_type": tc.typ, "overwrite": true})
		got := c.want(s, 0, m{"name": "reg query value", "object": `HKEY_LOCAL_MACHINE\software\EDRSIM\V`})
		v := got["value"].(m)
		if v["value_name"] != "v" || v["value_type"] != tc.typ || !equal(v["value_data"], tc.want) {
			t.Errorf("%s: got %v, want %v", tc.typ, v, tc.want)
		}
	}
	c.want(s, exists, m{"name": "reg set value", "object": key + `\v`, "value_data": "x", "value_type": "REG_SZ"})
	c.want(s, invalid, m{"name": "reg set value", "object": key + `\d`, "value_data": "x", "value_type": "REG_DWORD"})
	c.want(s, 0, m{"name": "reg create key", "object": key + `\sub`})
	got := c.want(s, 0, m{"name": "reg enum key", "object": key})
	if !equal(got["sub_keys"], []any{"sub"}) || len(got["values"].([]any)) != 1 {
		t.Errorf("enum = %v", got)
	}
	c.want(s, 0x800703FC, m{"name": "reg delete key", "object": key})
	c.want(s, 0, m{"name": "reg delete key", "object": key + `\sub`})
	c.want(s, 0, m{"name": "reg delete value", "object": key + `\v`})
	c.want(s, notFound, m{"name": "reg delete value", "object": key + `\v`})
	c.want(s, 0, m{"name": "reg delete key", "object": key})
	c.want(s, notFound, m{"name": "reg enum key", "object": key})
}

func TestCreateProcess(t *testing.T) {
	c := start(t, fast)
	s := c.openForLong(1)
	const out = `c:\windows\temp\out.tmp`
	for _, tc := range []struct {
		line, want string
		code       float64
	}{
		{`cmd.exe /c echo hello`, "hello\r\n", 0},
		{`c:\windows\system32\cmd.exe /c "echo one & echo two"`, "one\r\ntwo\r\n", 0},
		{`whoami`, "nt authority\\system\r\n", 0},
		{`hostname.exe`, "WKS-0001\r\n", 0},
		{`cmd /c exit 3`, "", 3},
		{`cmd /c nosuch`, "'nosuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", 1},
		{`cmd /c echo kept > c:\windows\temp\kept.txt && type c:\windows\temp\kept.txt`, "kept\r\n", 0},
	} {
		t.Run(tc.line, func(t *testing.T) {
			got := c.want(s, 0, m{"name": "create process", "object": tc.line, "wait": true, "output_file": out})
			if got["return_code"] != tc.code || got["pid"].(float64) <= 0 {
				t.Errorf("result = %v, want return_code %v", got, tc.code)
			}
			if b := c.download(s, out); string(b) != tc.want {
				t.Errorf("output = %q, want %q", b, tc.want)
			}
			c.want(s, 0, m{"name": "delete file", "object": out})
		})
	}
	c.want(s, notFound, m{"name": "create process", "object": "nosuch.exe"})
	c.want(s, badExe, m{"name": "create process", "object": `C:\Windows\win.ini`})
	c.want(s, badDirectory, m{"name": "create process", "object": "whoami", "working_directory": `C:\nowhere`})
	got := c.want(s, 0, m{"name": "create process", "object": "notepad.exe"})
	if _, ok := got["return_code"]; ok {
		t.Error("return_code without wait")
	}
	c.want(s, 0, m{"name": "kill", "object": got["pid"]})
}

func TestLinuxSensor(t *testing.T) {
	cfg := fast
	cfg.Fleet = []edrsim.SensorSpec{{OS: "linux"}}
	c := start(t, cfg)
	s := c.openForLong(1)
	got := c.want(s, 2, m{"name": "get file", "object": "/no/such"})
	if got["result_type"] != "CbError" {
		t.Errorf("result_type = %v, want CbError", got["result_type"])
	}
	c.do("POST", s+"/command", m{"name": "reg enum key", "object": "HKLM"}, 400)
	c.want(s, 0, m{"name": "create process", "object": `/bin/sh -c 'echo hi; whoami'`, "wait": true, "output_file": "/tmp/o"})
	if b := c.download(s, "/tmp/o"); string(b) != "hi\nroot\n" {
		t.Errorf("output = %q", b)
	}
	c.want(s, 3, m{"name": "kill", "object": 99999})
}

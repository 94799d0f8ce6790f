package edrsim_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

func (c *client) pids(session string) []float64 {
	c.t.Helper()
	var list []float64
	for _, p := range c.ended(session, m{"name": "process list"})["processes"].([]any) {
		list = append(list, p.(m)["pid"].(float64))
	}
	return list
}

func TestProcessesEnd(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	pid := c.ended(s, m{"name": "create process", "object": "ping -n 20 x", "output_file": `C:\o`})["pid"].(float64)
	if !slices.Contains(c.pids(s), pid) {
		t.Error("it does not run")
	}
	if got := c.ended(s, m{"name": "get file", "object": `C:\o`}); got["status"] != "error" {
		t.Error("its output is there before it has ended")
	}
	c.sim.Advance(20 * time.Second)
	if slices.Contains(c.pids(s), pid) {
		t.Error("it still runs")
	}
	if got := c.ended(s, m{"name": "get file", "object": `C:\o`}); got["status"] != "complete" {
		t.Error("its output is missing")
	}
}

func TestEndpointsAreApart(t *testing.T) {
	c := start(t, frozen(2))
	one, two := c.post(1), c.post(2)
	c.sim.Advance(33 * time.Second)
	c.ended(one, m{"name": "create directory", "object": `C:\Windows\Temp\mine`})
	c.ended(one, m{"name": "reg create key", "object": `HKLM\SOFTWARE\mine`})
	c.ended(one, m{"name": "kill", "object": 2640})
	if got := c.ended(two, m{"name": "directory list", "object": `C:\Windows\Temp\mine`}); got["status"] != "error" {
		t.Error("the other has the directory")
	}
	if got := c.ended(two, m{"name": "reg enum key", "object": `HKLM\SOFTWARE\mine`}); got["status"] != "error" {
		t.Error("the other has the key")
	}
	if !slices.Contains(c.pids(two), 2640) {
		t.Error("the other's process is gone")
	}
}

// TestProcesses: what tests and stories see is what Live Response lists.
func TestProcesses(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	running, err := c.sim.Processes(1)
	if err != nil {
		t.Fatal(err)
	}
	listed := c.ended(s, m{"name": "process list"})["processes"].([]any)
	if len(listed) != len(running) {
		t.Fatalf("%d processes, Live Response lists %d", len(running), len(listed))
	}
	for i, p := range running {
		if got := listed[i].(m); got["proc_guid"] != p.GUID || got["path"] != p.Path || got["pid"] != float64(p.PID) {
			t.Errorf("process %+v, Live Response lists %v", p, got)
		}
	}
	c.ended(s, m{"name": "kill", "object": 2640})
	running, err = c.sim.Processes(1)
	if err != nil || slices.ContainsFunc(running, func(p edrsim.Process) bool { return p.PID == 2640 }) {
		t.Errorf("the killed process is among %v (%v)", running, err)
	}
	if _, err := c.sim.Processes(2); err == nil {
		t.Error("there is no second sensor, and its processes are listed")
	}
}

func TestRestart(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	c.ended(s, m{"name": "kill", "object": 2640})
	c.ended(s, m{"name": "create directory", "object": `C:\kept`})
	c.do("PUT", "/api/v1/sensor/1", m{"restart_queued": true, "group_id": 1}, 204)
	c.sim.Advance(33 * time.Second)
	if got := c.status(s); got != "timeout" {
		t.Errorf("the session is %s, want timeout", got)
	}
	s = c.activate(1)
	if !slices.Contains(c.pids(s), 2640) {
		t.Error("what starts by itself does not run")
	}
	if got := c.ended(s, m{"name": "directory list", "object": `C:\kept`}); got["status"] != "complete" {
		t.Error("the disk has been wiped")
	}
}

func TestASensorThatComesTooLate(t *testing.T) {
	cfg := frozen(0)
	cfg.Fleet = []edrsim.SensorSpec{{Power: edrsim.Power{AsleepUntil: 30 * time.Minute}}}
	c := start(t, cfg)
	s := c.post(1)
	c.sim.Advance(time.Hour) // both the time-out and the check-in
	c.do("GET", s, nil, 404)
}

func TestSizeOfAPart(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	c.sim.WriteFile(1, `C:\part`, make([]byte, 1000))
	got := c.ended(s, m{"name": "get file", "object": `C:\part`, "offset": 900})
	if f := c.get(s + "/file/" + num(got["file_id"])); f["size"] != 100.0 {
		t.Errorf("size = %v, want 100", f["size"])
	}
	if got := c.get(s)["storage_size"]; got != "100" {
		t.Errorf("storage_size = %v, want 100", got)
	}
}

func TestLockedFiles(t *testing.T) {
	c := start(t, frozen(1))
	s := c.activate(1)
	id := c.upload(s, []byte("x"))
	for _, req := range []m{{"name": "get file"}, {"name": "delete file"}, {"name": "put file", "file_id": id}} {
		req["object"] = `C:\Windows\System32\config\SAM`
		if got := c.ended(s, req)["result_code"]; got != float64(sharing) {
			t.Errorf("%s: %v, want %d", req["name"], got, sharing)
		}
	}
	if got := c.ended(s, m{"name": "directory list", "object": `D:\`})["result_code"]; got != float64(0x80070015) {
		t.Errorf("an empty drive: %v", got)
	}
}

// TestScripts runs what people write in rules.
func TestScripts(t *testing.T) {
	cfg := frozen(0)
	cfg.Fleet = []edrsim.SensorSpec{{}, {OS: "linux"}, {OS: "osx"}}
	c := start(t, cfg)
	sessions := []string{c.post(1), c.post(2), c.post(3)}
	c.sim.Advance(33 * time.Second)
	c.sim.WriteFile(1, `C:\fix.bat`, []byte("@echo off\r\nrem a comment\r\necho on %COMPUTERNAME%\r\ntaskkill /f /im notepad.exe\r\n"))
	c.sim.WriteFile(2, `/tmp/fix.sh`, []byte("#!/bin/sh\n# a comment\necho on $HOSTNAME\nls /var/www/html\n"))
	for _, tc := range []struct {
		sensor     int
		line, want string
		code       float64
	}{
		{1, `C:\fix.bat`, "on WKS-0001\r\nSUCCESS: The process \"notepad.exe\" with PID 2640 has been terminated.\r\n", 0},
		{1, `cmd /c "echo a>C:\a.txt & copy C:\a.txt C:\b.txt >nul && type C:\b.txt"`, "a\r\n", 0},
		{1, `cmd /c type C:\none.txt || echo no`, "The system cannot find the file specified.\r\nno\r\n", 0},
		{1, `cmd.exe /c cd C:\Users & cd`, "C:\\Users\r\n", 0},
		{1, `powershell -NoProfile -Command "Write-Output 'done'"`, "done\r\n", 0},
		{1, `cmd /c echo %computername% %SYSTEMROOT% %nosuch%`, "WKS-0001 C:\\Windows %nosuch%\r\n", 0},
		{1, `cmd /c "set > C:\set.txt & sha256sum C:\set.txt > nul & echo %OS%"`, "Windows_NT\r\n", 0},
		{1, `cmd /c del C:\Windows\System32\config\SAM`, "Access is denied.\r\n", 1},
		{2, `/tmp/fix.sh`, "on srv-0002\nindex.html\n", 0},
		{2, `/bin/sh -c "echo x > /tmp/x; cat /tmp/x; rm /tmp/x; cat /tmp/x"`, "x\ncat: /tmp/x: No such file or directory\n", 1},
		{2, `sha256sum /etc/hostname`, fmt.Sprintf("%x  /etc/hostname\n", sha256.Sum256([]byte("srv-0002\n"))), 0},
		{2, `uname`, "Linux\n", 0},
		{3, `sw_vers`, "ProductName:\tMac OS X\nProductVersion:\t10.12.6\nBuildVersion:\t16G29\n", 0},
		{3, `/bin/sh -c 'false && echo never; nosuch'`, "sh: nosuch: command not found\n", 127},
	} {
		s := sessions[tc.sensor-1]
		out := map[bool]string{true: `C:\out`, false: "/tmp/out"}[tc.sensor == 1]
		got := c.do("POST", s+"/command", m{"name": "create process", "object": tc.line, "wait": true, "output_file": out}, 200).(m)
		c.sim.Advance(3 * time.Second)
		got = c.get(s + "/command/" + num(got["id"]))
		b, err := c.sim.ReadFile(tc.sensor, out)
		if err != nil || got["return_code"] != tc.code || string(b) != tc.want {
			t.Errorf("%s: return_code %v, %q, %v; want %v, %q", tc.line, got["return_code"], b, err, tc.code, tc.want)
		}
	}
}

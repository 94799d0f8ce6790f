package actions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

func TestFileActions(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.files[`c:\users\ann\evil.exe`] = "evil"
	task := e.task()
	out, err := run(t, task, "get_file", map[string]any{"path": `C:\Users\Ann\evil.exe`})
	if err != nil || out.(GetFileOutput).Size != 4 || task.Artifacts.(*shelf).kept["evil.exe"] != "evil" {
		t.Errorf("get_file: %+v, %v", out, err)
	}
	if sum := out.(GetFileOutput).MD5; sum != "4034a346ccee15292d823416f7510a2f" {
		t.Errorf("get_file: MD5 %q", sum)
	}
	if a := out.(GetFileOutput).Artifact; a.Job != "job-1" || a.Sensor != "42" || a.Rule != "r" {
		t.Errorf("artifact = %+v", a)
	}
	if _, err = e.do(t, "put_file", map[string]any{"file": "tidy.ps1", "path": `c:\tools\tidy.ps1`}); err != nil {
		t.Errorf("put_file: %v", err)
	}
	with := map[string]any{"file": "tidy.ps1", "path": `c:\tools\tidy.ps1`}
	if !e.already(t, "put_file", with) {
		t.Error("put_file: the check does not find it done")
	}
	e.files[`c:\tools\tidy.ps1`] = "Remove-Item $args[1]"
	if e.already(t, "put_file", with) {
		t.Error("put_file: another file of the same size is taken for it")
	}
	if _, err := e.do(t, "put_file", with); err == nil {
		t.Error("put_file replaces a file without being told to")
	}
	with["overwrite"] = true
	if _, err := e.do(t, "put_file", with); err != nil {
		t.Errorf("put_file with overwrite: %v", err)
	}
	for i, deleted := range []bool{true, false} {
		out, err := e.do(t, "delete_file", map[string]any{"path": `c:\users\ann\evil.exe`})
		if err != nil || out.(DeleteFileOutput).Deleted != deleted {
			t.Errorf("delete_file, time %d: %+v, %v", i+1, out, err)
		}
	}
	if !e.already(t, "delete_file", map[string]any{"path": `c:\users\ann\evil.exe`}) || e.already(t, "delete_file", map[string]any{"path": `c:\tools\tidy.ps1`}) {
		t.Error("delete_file: the check is wrong")
	}
	for i, created := range []bool{true, false} {
		out, err := e.do(t, "create_directory", map[string]any{"path": `c:\quarantine`})
		if err != nil || out.(CreateDirectoryOutput).Created != created {
			t.Errorf("create_directory, time %d: %+v, %v", i+1, out, err)
		}
	}
	if _, err := e.do(t, "put_file", map[string]any{"file": "no.ps1", "path": `c:\x`}); err == nil || !strings.Contains(err.Error(), "no.ps1") {
		t.Errorf("a file that is not in the set: %v", err)
	}
}

func TestAStoreThatFailsEndsTheDownload(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.files[`c:\a`] = strings.Repeat("x", 1<<20)
	task := e.task()
	full := errors.New("store is full")
	task.Artifacts = &shelf{fail: full}
	if _, err := run(t, task, "get_file", map[string]any{"path": `c:\a`}); !errors.Is(err, full) {
		t.Errorf("error = %v", err)
	}
}

func TestCollect(t *testing.T) {
	e := newEndpoint(edr.Windows)
	for _, p := range []string{`c:\users\ann\a.exe`, `c:\users\ann\deep\b.exe`, `c:\users\ann\deep\c.txt`, `c:\users\bob\d.exe`, `c:\users\bob\[1].exe`, `c:\windows\big.exe`} {
		e.files[p] = p
	}
	e.files[`c:\windows\big.exe`] = strings.Repeat("x", 200)
	e.registry[`hklm\software\run\x`] = edr.RegistryValue{Name: "x", Type: "REG_SZ", Data: "y"}
	e.processes = []edr.Process{{PID: 4}}
	cases := []struct {
		name    string
		with    map[string]any
		want    []string
		skipped int
		more    bool
	}{
		{"one file", map[string]any{"paths": []any{`c:\users\ann\a.exe`}}, []string{"a.exe"}, 0, false},
		{"pattern in a name", map[string]any{"paths": []any{`c:\users\bob\*.EXE`}}, []string{"[1].exe", "d.exe"}, 0, false},
		{"brackets are letters", map[string]any{"paths": []any{`c:\users\bob\[1]*`}}, []string{"[1].exe"}, 0, false},
		{"pattern in a directory", map[string]any{"paths": []any{`c:\users\*\?.exe`}}, []string{"a.exe", "d.exe"}, 0, false},
		{"any directories", map[string]any{"paths": []any{`c:\users\**\*.exe`}}, []string{"[1].exe", "a.exe", "b.exe", "d.exe"}, 0, false},
		{"twice the same", map[string]any{"paths": []any{`c:\users\ann\*.exe`, `c:\users\ann\a.exe`}}, []string{"a.exe"}, 0, false},
		{"missing", map[string]any{"paths": []any{`c:\nothing\x`, `c:\users\ann\*.dll`}}, nil, 2, false},
		{"too large", map[string]any{"paths": []any{`c:\windows\*`}, "max_size": 100}, nil, 1, false},
		{"bounded", map[string]any{"paths": []any{`c:\users\**\*.exe`}, "max_files": 2}, []string{"a.exe", "b.exe"}, 0, true},
		{"registry and processes", map[string]any{"registry": []any{`HKLM\Software\Run`, `HKLM\Software\None`}, "processes": true}, []string{"Run", "processes.json"}, 1, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			task := e.task()
			out, err := run(t, task, "collect", c.with)
			if err != nil {
				t.Fatal(err)
			}
			got := out.(CollectOutput)
			var names []string
			for _, a := range got.Artifacts {
				names = append(names, a.Name)
			}
			slices.Sort(names)
			if !slices.Equal(names, c.want) || len(got.Skipped) != c.skipped || got.Truncated != c.more {
				t.Errorf("got %v, skipped %v, truncated %v", names, got.Skipped, got.Truncated)
			}
		})
	}
}

// TestCollectTakesAFileOnce: what another entry took is neither taken again nor
// missing.
func TestCollectTakesAFileOnce(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.files[`c:\t\a.dat`], e.files[`c:\t\b.dat`] = "a", "b"
	e.registry[`hklm\software\run\x`] = edr.RegistryValue{Name: "x"}
	out, err := e.do(t, "collect", map[string]any{
		"paths":    []any{`c:\t\*.dat`, `c:\t\a.dat`, `C:\T\A.DAT`, `c:\t\b*`, `c:\t\none.dat`},
		"registry": []any{`HKLM\Software\Run`, `HKLM\software\run`},
	})
	got := out.(CollectOutput)
	if err != nil || got.Count != 3 || len(got.Skipped) != 1 || got.Skipped[0].Path != `c:\t\none.dat` {
		t.Errorf("%+v, %v", got, err)
	}
	if want := []string{`HKLM\software\run`, `c:\t\a.dat`, `c:\t\b.dat`}; !slices.Equal(got.Repeated, want) {
		t.Errorf("repeated %q, want %q", got.Repeated, want)
	}
	if sum := got.Artifacts[1].MD5; sum != "0cc175b9c0f1b6a831c399e269772661" {
		t.Errorf("MD5 of a.dat = %q", sum)
	}
	e = newEndpoint(edr.Linux)
	e.files["/t/a"] = "a"
	if out, err := e.do(t, "collect", map[string]any{"paths": []any{"/t/a", "/t/A"}}); err == nil && len(out.(CollectOutput).Repeated) > 0 {
		t.Error("names that differ in case are one on Linux")
	}
}

func TestCollectGoesOnAfterAnUnreadableFile(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.files[`c:\a`], e.files[`c:\b`] = "a", "b"
	e.refuse[`c:\a`] = e.result("get file", `c:\a`, nil)
	out, err := e.do(t, "collect", map[string]any{"paths": []any{`c:\a`, `c:\b`}})
	if got := out.(CollectOutput); err != nil || got.Count != 1 || len(got.Skipped) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	e.refuse[`c:\a`] = edr.ErrSessionGone
	if _, err := e.do(t, "collect", map[string]any{"paths": []any{`c:\a`, `c:\b`}}); !errors.Is(err, edr.ErrSessionGone) {
		t.Errorf("without a session: %v", err)
	}
}

func TestWalkAndList(t *testing.T) {
	e := newEndpoint(edr.Linux)
	for i := range 5 {
		e.files[fmt.Sprintf("/srv/d%d/x/y/f", i)] = "x"
	}
	out, err := e.do(t, "walk", map[string]any{"path": "/srv", "depth": 1})
	if got := out.(ListDirectoryOutput); err != nil || got.Count != 10 || got.Entries[0].Path != "/srv/d0" || !got.Entries[0].Dir {
		t.Errorf("walk: %+v, %v", got, err)
	}
	out, err = e.do(t, "walk", map[string]any{"path": "/srv/", "max": 3})
	if got := out.(ListDirectoryOutput); err != nil || got.Count != 3 || !got.Truncated {
		t.Errorf("bounded walk: %+v, %v", got, err)
	}
	out, err = e.do(t, "list_directory", map[string]any{"path": "/srv", "pattern": "d[12]"})
	if got := out.(ListDirectoryOutput); err != nil || got.Count != 2 {
		t.Errorf("list_directory: %+v, %v", got, err)
	}
}

func TestRegistryActions(t *testing.T) {
	e := newEndpoint(edr.Windows)
	set := map[string]any{"key": `HKLM\Software\Run\x`, "data": float64(7)}
	if e.already(t, "set_registry_value", set) {
		t.Error("the check finds a value that is not there")
	}
	out, err := e.do(t, "set_registry_value", set)
	if got := out.(RegistryValueOutput); err != nil || got.Type != "REG_DWORD" || got.Key != `HKLM\Software\Run` || got.Name != "x" {
		t.Errorf("set: %+v, %v", got, err)
	}
	if !e.already(t, "set_registry_value", set) || e.already(t, "set_registry_value", map[string]any{"key": `HKLM\Software\Run\x`, "data": 8}) {
		t.Error("set_registry_value: the check is wrong")
	}
	out, err = e.do(t, "get_registry_value", map[string]any{"key": `HKLM\Software\Run\x`})
	if err != nil || !sameData(out.(RegistryValueOutput).Data, 7) {
		t.Errorf("get: %+v, %v", out, err)
	}
	if out, err = e.do(t, "list_registry_key", map[string]any{"key": `HKLM\Software\Run`}); err != nil || len(out.(ListRegistryKeyOutput).Values) != 1 {
		t.Errorf("list: %+v, %v", out, err)
	}
	for i, changed := range []bool{true, false} {
		out, err := e.do(t, "delete_registry_value", map[string]any{"key": `HKLM\Software\Run\x`})
		if err != nil || out.(RegistryChangeOutput).Changed != changed {
			t.Errorf("delete value, time %d: %+v, %v", i+1, out, err)
		}
	}
	key := map[string]any{"key": `HKLM\Software\Evil\Deep`}
	for _, step := range []struct {
		uses    string
		already bool
	}{{"delete_registry_key", true}, {"create_registry_key", false}, {"delete_registry_key", false}} {
		if got := e.already(t, step.uses, key); got != step.already {
			t.Errorf("%s: already = %v, want %v", step.uses, got, step.already)
		}
		if _, err := e.do(t, step.uses, key); err != nil {
			t.Errorf("%s: %v", step.uses, err)
		}
		if !e.already(t, step.uses, key) {
			t.Errorf("%s: the check does not find it done", step.uses)
		}
	}
	for data, typ := range map[any]string{"text": "REG_DWORD", 1.5: "", true: ""} {
		if _, err := e.do(t, "set_registry_value", map[string]any{"key": `HKLM\a\b`, "data": data, "type": typ}); err == nil {
			t.Errorf("%v is taken as %q", data, typ)
		}
	}
	if _, err := newEndpoint(edr.Linux).do(t, "get_registry_value", map[string]any{"key": `HKLM\a\b`}); !errors.Is(err, edr.ErrUnsupported) {
		t.Errorf("registry on Linux: %v", err)
	}
}

func TestRunScript(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.printed = "done\xff"
	out, err := e.do(t, "run", map[string]any{"file": "tidy.ps1", "flags": []any{"-Force"}, "args": []any{`c:\a "b"`}})
	if got := out.(ProcessOutput); err != nil || got.Output != "done\uFFFD" || !got.Exited {
		t.Errorf("%+v, %v", got, err)
	}
	const want = `"c:\windows\system32\windowspowershell\v1.0\powershell.exe" "-NoLogo" "-NoProfile" "-NonInteractive" "-ExecutionPolicy" "Bypass" "-File" "c:\windows\temp\edrpipe-job-1-s.ps1" "-Force" "c:\a \"b\""`
	if len(e.lines) != 1 || e.lines[0] != want {
		t.Errorf("ran %s", e.lines)
	}
	if len(e.files) != 0 {
		t.Errorf("left on the endpoint: %v", sortedKeys(e.files))
	}
	if _, err := e.do(t, "run", map[string]any{"file": "tidy.ps1", "args": []any{"-Recurse"}}); err == nil || !strings.Contains(err.Error(), "as an option does") {
		t.Errorf("an option from the event: %v", err)
	}
	if len(e.lines) != 1 {
		t.Errorf("ran %s", e.lines)
	}
}

func TestMemoryDumpAndArchive(t *testing.T) {
	e := newEndpoint(edr.Windows)
	task := e.task()
	var told []string
	task.Progress = func(text string) { told = append(told, text) }
	out, err := run(t, task, "memory_dump", nil)
	if err != nil || out.(GetFileOutput).Path != `c:\windows\temp\edrpipe-job-1-s.dmp.zip` || len(e.files) != 0 || len(told) == 0 {
		t.Errorf("%+v, %v, left %v, told %v", out, err, e.files, told)
	}
	out, err = e.do(t, "session_archive", nil)
	if err != nil || out.(SessionArchiveOutput).Artifact.Name != "session-7.tar.gz" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestBan(t *testing.T) {
	e := newEndpoint(edr.Windows)
	with := map[string]any{"md5": "D41D8CD98F00B204E9800998ECF8427E", "reason": "seen on 5 hosts"}
	for _, uses := range []string{"ban_hash", "unban_hash"} {
		if e.already(t, uses, with) {
			t.Errorf("%s: the check is wrong before", uses)
		}
		if _, err := e.do(t, uses, with); err != nil || !e.already(t, uses, with) {
			t.Errorf("%s: %v", uses, err)
		}
	}
}

func TestPublish(t *testing.T) {
	task := newEndpoint(edr.Windows).task()
	var subject string
	var body any
	task.Publish = func(_ context.Context, s string, b any) error { subject, body = s, b; return nil }
	if _, err := run(t, task, "publish", map[string]any{"subject": "a.b-c", "body": map[string]any{"n": 1}}); err != nil || subject != "a.b-c" || body.(map[string]any)["n"] != 1 {
		t.Errorf("%s %v, %v", subject, body, err)
	}
}

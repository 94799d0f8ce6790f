package actions_test

import (
	"context"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

type fileSet map[string]string

func (f fileSet) Open(name string) (io.ReadCloser, error) {
	text, ok := f[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

// bench is a simulated server with one sensor, and a session on it.
type bench struct {
	t    *testing.T
	task *actions.Task
}

func newBench(t *testing.T, os string) *bench {
	t.Helper()
	sim := edrsim.New(edrsim.Config{Fleet: []edrsim.SensorSpec{{OS: os}}, TimeScale: 100}).Start()
	t.Cleanup(sim.Close)
	client, err := lr.New(lr.Config{URL: sim.URL, Token: sim.Token, KeepAlive: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	sensor, err := client.Sensor(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	var session edr.Session
	store, err := artifacts.Open(t.Context(), artifacts.Config{Backend: artifacts.Directory(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, &actions.Task{
		Sensor: sensor, Server: client, Job: actions.JobRef{ID: "job-1", Rule: "r", Step: "s"},
		Session: func(ctx context.Context) (edr.Session, error) {
			if session != nil {
				return session, nil
			}
			var err error
			if session, err = client.Open(ctx, "1"); err != nil {
				return nil, err
			}
			return session, session.Await(ctx)
		},
		Artifacts: store, Scripts: fileSet{"note.txt": "for the endpoint", "tidy.ps1": "Write-Output done", "tidy.sh": "echo done"},
		Publish: func(context.Context, string, any) error { return nil },
		Now:     time.Now, Log: zerolog.Nop(),
	}}
}

func (b *bench) do(uses string, with map[string]any) any {
	b.t.Helper()
	a, ok := actions.Lookup(uses)
	if !ok {
		b.t.Fatalf("there is no action %s", uses)
	}
	p, err := actions.Decode(a, with)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := a.Run(b.t.Context(), b.task, p)
	if err != nil {
		b.t.Fatalf("%s: %v", uses, err)
	}
	done, _, err := a.Check(b.t.Context(), b.task, p)
	if err != nil || done != (a.Spec().Class == actions.Checkable) {
		b.t.Errorf("%s: afterwards the check says %v, %v", uses, done, err)
	}
	return out
}

// TestActionsOnASimulatedEndpoint runs the actions through the real client
// against the simulated server.
func TestActionsOnASimulatedEndpoint(t *testing.T) {
	for _, c := range []struct{ os, dir, sep, script string }{
		{"windows", `c:\windows\temp`, `\`, "tidy.ps1"},
		{"linux", "/tmp", "/", "tidy.sh"},
	} {
		t.Run(c.os, func(t *testing.T) {
			b := newBench(t, c.os)
			file, dir := c.dir+c.sep+"note (1).txt", c.dir+c.sep+"new"
			b.do("create_directory", map[string]any{"path": dir})
			b.do("put_file", map[string]any{"file": "note.txt", "path": file})
			if got := b.do("get_file", map[string]any{"path": file}).(actions.GetFileOutput); got.Size != 16 {
				t.Errorf("get_file: %+v", got)
			}
			if got := b.do("list_directory", map[string]any{"path": c.dir, "pattern": "note*"}).(actions.ListDirectoryOutput); got.Count != 1 || got.Entries[0].Path != file {
				t.Errorf("list_directory: %+v", got)
			}
			if got := b.do("walk", map[string]any{"path": c.dir, "depth": 1}).(actions.ListDirectoryOutput); got.Count < 2 {
				t.Errorf("walk: %+v", got)
			}
			if got := b.do("collect", map[string]any{"paths": []any{c.dir + c.sep + "**" + c.sep + "note*.txt"}, "processes": true}).(actions.CollectOutput); got.Count != 2 {
				t.Errorf("collect: %+v", got)
			}
			b.do("delete_file", map[string]any{"path": file})
			if got := b.do("run", map[string]any{"file": c.script, "args": []any{`$(reboot) "a"`}}).(actions.ProcessOutput); !got.Exited {
				t.Errorf("run: %+v", got)
			}
			running := b.do("list_processes", nil).(actions.ListProcessesOutput)
			victim := pick(running.Processes)
			got := b.do("kill_process", map[string]any{"pid": victim.PID, "guid": victim.GUID}).(actions.KillProcessOutput)
			if got.Count != 1 || got.Killed[0].PID != victim.PID {
				t.Errorf("kill_process: %+v", got)
			}
			b.do("ban_hash", map[string]any{"md5": "d41d8cd98f00b204e9800998ecf8427e", "reason": "test"})
			b.do("unban_hash", map[string]any{"md5": "d41d8cd98f00b204e9800998ecf8427e"})
			b.do("session_archive", nil)
			if c.os == "windows" {
				onlyWindows(b)
			}
			b.do("isolate", map[string]any{"wait": "20m"}) // last: the session does not outlive the waiting
			b.do("unisolate", map[string]any{"wait": "20m"})
		})
	}
}

func onlyWindows(b *bench) {
	b.t.Helper()
	const key = `HKLM\Software\Edrpipe`
	b.do("create_registry_key", map[string]any{"key": key})
	b.do("set_registry_value", map[string]any{"key": key + `\count`, "data": 7})
	if got := b.do("get_registry_value", map[string]any{"key": key + `\count`}).(actions.RegistryValueOutput); got.Type != "REG_DWORD" {
		b.t.Errorf("get_registry_value: %+v", got)
	}
	if got := b.do("list_registry_key", map[string]any{"key": key}).(actions.ListRegistryKeyOutput); len(got.Values) != 1 {
		b.t.Errorf("list_registry_key: %+v", got)
	}
	b.do("delete_registry_value", map[string]any{"key": key + `\count`})
	b.do("delete_registry_key", map[string]any{"key": key})
	if got := b.do("memory_dump", nil).(actions.GetFileOutput); got.Size == 0 {
		b.t.Errorf("memory_dump: %+v", got)
	}
}

// pick returns a process that an endpoint can do without.
func pick(running []edr.Process) edr.Process {
	for _, p := range running {
		name := strings.ToLower(p.Path[strings.LastIndexAny(p.Path, `\/`)+1:])
		if p.PID > 100 && p.GUID != "" && (name == "explorer.exe" || name == "sshd" || name == "cron" || name == "notepad.exe" || name == "svchost.exe") {
			return p
		}
	}
	return running[len(running)-1]
}

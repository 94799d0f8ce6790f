package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/lr"
)

// killPoints are where a process kills itself, in the order in which it passes
// them. unknown tells where it is honest to say that nobody knows what came of
// the step; everywhere else the job has to succeed.
var killPoints = []struct {
	name    string
	short   bool // also run without -full
	unknown bool
}{
	{name: "created", short: true},
	{name: "running"},
	{name: "before intent"},
	{name: "intent", short: true},
	{name: "submitted", short: true, unknown: true},
	{name: "before result", short: true},
	{name: "result"},
	{name: "before end"},
	{name: "end", short: true},
	{name: "published", short: true},
	{name: "archived"},
}

// killStore is a Store whose process kills itself at a point.
type killStore struct {
	Store
	at string
}

// reach kills the process if this is the point: SIGKILL cannot be caught, and
// nothing deferred runs.
func (k killStore) reach(point string) {
	if point == k.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k killStore) Create(ctx context.Context, js []*Job) ([]bool, error) {
	created, err := k.Store.Create(ctx, js)
	k.reach("created")
	return created, err
}

func (k killStore) Update(ctx context.Context, j *Job) error {
	point := killPoint(j)
	k.reach("before " + point)
	err := k.Store.Update(ctx, j)
	k.reach(point)
	return err
}

// killPoint names the write of a record by what it says.
func killPoint(j *Job) string {
	switch {
	case j.State.Terminal():
		return "end"
	case j.State != Running:
		return "waiting"
	case len(j.Done) == 0:
		return "running"
	case len(j.Done) > 1:
		return "later" // the first step's points are enough
	}
	switch j.Done[0].State {
	case StepIntent:
		return "intent"
	case StepSubmitted:
		return "submitted"
	case StepOK:
		return "result"
	}
	return "other"
}

func (k killStore) Archive(ctx context.Context, j *Job) error {
	k.reach("published") // a result is published before its job is archived
	err := k.Store.Archive(ctx, j)
	k.reach("archived")
	return err
}

// killWorld is what a parent tells its child, by the environment.
type killWorld struct {
	Dir, URL, Token string
	At              string // "" lives
}

const killEnv = "EDRPIPE_TEST_KILL"

// killedJob has two steps that must not run twice.
func killedJob() *Job {
	j := chain(1, step("test_run", `C:\Windows\System32\whoami.exe`), step("test_run", `C:\Windows\System32\hostname.exe`))
	j.ID, j.Steps[0].ID, j.Steps[1].ID = "the-job", "first", "second"
	j.Endpoint.Server = "sim"
	return j
}

// TestKilledProcess is the child of TestKill; by itself it does nothing.
func TestKilledProcess(t *testing.T) {
	text := os.Getenv(killEnv)
	if text == "" {
		t.Skip("started by TestKill")
	}
	var w killWorld
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		t.Fatal(err)
	}
	client, err := lr.New(lr.Config{URL: w.URL, Token: w.Token, Name: "sim", KeepAlive: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdle()
	js := startBus(t, filepath.Join(w.Dir, "bus"))
	store := killStore{openStore(t, js), w.At}
	s, stop := start(t, Config{
		Server: client, Store: store, Table: controlTable(t, js), Owner: "one",
		Poll: time.Second, Beat: 500 * time.Millisecond,
	})
	defer stop()
	if _, err := s.Enqueue(t.Context(), killedJob()); err != nil { // the second time, a re-delivery
		t.Fatal(err)
	}
	j, err := s.Wait(t.Context(), killedJob().ID)
	if err != nil {
		t.Fatal(err)
	}
	store.untilArchived(t, js)
	data, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.Dir, "job"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func startBus(t *testing.T, dir string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", bustest.Serve(t, natsd.Config{Dir: dir}).InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func openStore(t *testing.T, js jetstream.JetStream) *natsstore.Store {
	t.Helper()
	for _, bucket := range []string{"jobs", "jobs-finished", "control"} {
		_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, Storage: jetstream.FileStorage})
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			t.Fatal(err)
		}
	}
	s, err := natsstore.Open(t.Context(), js, "jobs", "jobs-finished", nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func controlTable(t *testing.T, js jetstream.JetStream) natsstore.Table {
	t.Helper()
	bucket, err := js.KeyValue(t.Context(), "control")
	if err != nil {
		t.Fatal(err)
	}
	return natsstore.Table{Bucket: bucket, Server: "sim"}
}

// untilArchived waits until no live record is left: a result may be published
// after the job is seen to have ended.
func (k killStore) untilArchived(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	live, err := js.KeyValue(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	watcher, err := live.Watch(t.Context(), killedJob().ID)
	if err != nil {
		t.Fatal(err)
	}
	for entry := range watcher.Updates() {
		if entry == nil || entry.Operation() != jetstream.KeyValuePut {
			break
		}
	}
	if err := watcher.Stop(); err != nil {
		t.Error(err)
	}
}

// TestKill kills a process that uses the real store on disk and the real client
// against a simulated server, at one point of a job's life after the other, and
// lets another process go on.
func TestKill(t *testing.T) {
	for _, p := range killPoints {
		if !p.short && !*full {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			sim := edrsim.New(edrsim.Config{Fleet: []edrsim.SensorSpec{{OS: "windows"}}, TimeScale: 100, CheckIn: 3 * time.Second}).Start()
			defer sim.Close()
			w := killWorld{Dir: t.TempDir(), URL: sim.URL, Token: sim.Token, At: p.name}
			if out, err := w.child(t); !killed(err) {
				t.Fatalf("the process did not die: %v\n%s", err, out)
			}
			w.At = ""
			if out, err := w.child(t); err != nil {
				t.Fatalf("the next process: %v\n%s", err, out)
			}
			w.check(t, sim, p.unknown)
		})
	}
}

// child runs a process of this test's program until it ends.
func (w killWorld) child(t *testing.T) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // in case it hangs
	defer cancel()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killEnv+"="+string(text))
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return out, fmt.Errorf("it hangs: %w", ctx.Err())
	}
	return out, err
}

func killed(err error) bool {
	exit, ok := err.(*exec.ExitError)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// check compares the job's end with what the simulated endpoint has executed.
func (w killWorld) check(t *testing.T, sim *edrsim.Server, mayBeUnknown bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(w.Dir, "job"))
	if err != nil {
		t.Fatal(err)
	}
	var j Job
	if err := json.Unmarshal(data, &j); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s", j.State, j.Detail)
	ran := map[string]int64{}
	for _, e := range sim.Counters().Executions {
		if e.Command == "create process" {
			ran[e.Object] = e.Count
		}
	}
	want := int64(1)
	switch {
	case j.State == Unknown && mayBeUnknown:
		want = 0 // at least
	case j.State != Succeeded:
		t.Errorf("the job ended as %s: %s", j.State, j.Detail)
	}
	for _, s := range killedJob().Steps {
		name := s.With["name"].(string)
		if n := ran[name]; n < want || n > 1 {
			t.Errorf("%s ran %d times, want once; all: %v", name, n, ran)
		}
	}
}

package jobs

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// full asks for the long form of the proofs: every crash point instead of every
// eleventh, ten times as many random worlds.
var full = flag.Bool("full", false, "run the long form of the proofs")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// shortChecks has a property that is dear to test checked n times only, unless
// the long form was asked for.
func shortChecks(t *testing.T, n int) {
	t.Helper()
	if *full {
		return
	}
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(before) }) // it was its value
}

func key(sensor int, command, object string) string {
	return fmt.Sprintf("%d %s %s", sensor, command, object)
}

// start runs a scheduler until the returned function is called, which waits for
// its end; once is enough.
func start(t *testing.T, cfg Config) (*Scheduler, func()) {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// chain makes a job of steps "uses name".
// at is an endpoint of the fake server.
func at(sensor int) edr.Endpoint { return edr.Endpoint{Server: "fake", ID: strconv.Itoa(sensor)} }

func chain(sensor int, steps ...actions.Step) *Job {
	return &Job{Endpoint: at(sensor), Submitter: "test", Steps: steps}
}

func step(uses, name string) actions.Step {
	return actions.Step{Uses: uses, With: map[string]any{"name": name}}
}

func enqueue(t *testing.T, s *Scheduler, js ...*Job) {
	t.Helper()
	if _, err := s.Enqueue(t.Context(), js...); err != nil {
		t.Fatal(err)
	}
}

// wantEnd waits for a job and checks how it ended.
func wantEnd(t *testing.T, s *Scheduler, id string, want State) *Job {
	t.Helper()
	j, err := s.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if j.State != want {
		t.Errorf("job ended as %s (%s: %s), want %s", j.State, j.Reason, j.Detail, want)
	}
	return j
}

func TestSubmitRunsAFunctionOnASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		h, err := s.Submit(t.Context(), "1", func(ctx context.Context, session edr.Session) (any, error) {
			Progress(ctx, "running")
			runner, err := edr.As[edr.Runner](session)
			if err != nil {
				return nil, err
			}
			_, err = runner.Run(ctx, edr.ProcessSpec{CommandLine: "whoami"})
			return "done", err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := h.State(); got != Queued {
			t.Errorf("state at first = %s, want queued", got)
		}
		called := make(chan State, 1)
		h.OnDone(func(h *Handle) { called <- h.State() })
		got, err := h.Wait(t.Context())
		if err != nil || got != "done" {
			t.Errorf("Wait = %v, %v; want done", got, err)
		}
		if got := <-called; got != Succeeded {
			t.Errorf("state at the end = %s, want succeeded", got)
		}
		if got := h.Progress(); got != "running" {
			t.Errorf("Progress = %q", got)
		}
	})
}

func TestChainRunsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		j := chain(1, step("test_read", "a"), step("test_run", "b"), step("test_delete", "c"))
		enqueue(t, s, j)
		got := wantEnd(t, s, j.ID, Succeeded)
		for name, want := range map[string]int{"1 get file a": 1, "1 create process b": 1, "1 delete file c": 1} {
			if srv.seen().ran[name] != want {
				t.Errorf("%s ran %d times, want %d", name, srv.seen().ran[name], want)
			}
		}
		if len(got.Done) != 3 || got.Done[1].State != StepOK || got.Done[1].Command != 2 {
			t.Errorf("steps = %+v", got.Done)
		}
	})
}

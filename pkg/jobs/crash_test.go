package jobs

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
)

// matrixJobs is what the crash matrix runs: every class of step, a foreach,
// steps in parallel, an approval, an undo, a failure with its cleanup, two jobs
// in line on one sensor, a step on another sensor.
func matrixJobs() []*Job {
	undo := step("test_isolate", "x")
	undo.UndoAfter = time.Minute
	each := actions.Step{Uses: "test_run", Foreach: `["p", "q"]`, With: map[string]any{"name": "${{ item }}"}}
	other := step("test_run", "other")
	other.Sensor = "3"
	asked := step("test_delete", "asked")
	asked.Approval = &actions.Approval{Require: 1}
	side := actions.Step{Parallel: []actions.Step{step("test_say", "x"), step("test_read", "side")}}
	fails := chain(2, step("test_fail", "x"), step("test_run", "never"))
	fails.OnFailure = []actions.Step{step("test_run", "cleanup")}
	jobs := []*Job{
		chain(1, step("test_read", "a"), step("test_delete", "a"), step("test_run", "a")),
		chain(1, each, side),
		chain(2, undo, step("test_run", "b")),
		chain(2, asked),
		fails,
		chain(1, other, step("test_run", "after")),
	}
	for i, j := range jobs {
		j.ID = fmt.Sprintf("job-%d", i)
	}
	return jobs
}

// matrixOnce are the commands of the matrix that must not run twice.
var matrixOnce = []string{
	"1 delete file a", "1 create process a", "1 create process p", "1 create process q", "2 create process b",
	"2 delete file asked", "2 create process cleanup", "3 create process other", "1 create process after",
}

// finishMatrix runs a process until every job has ended.
func finishMatrix(t *testing.T, w *world, owner string) {
	t.Helper()
	s, stop := start(t, w.config(owner, nil))
	defer stop()
	w.processes = append(w.processes, process{s, nil})
	enqueue(t, s, matrixJobs()...) // as a re-delivered batch of events would
	deadline := time.Now().Add(3 * time.Hour)
	for {
		jobs, err := s.List(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 && w.idle() {
			break
		}
		for _, j := range jobs {
			if j.State == Held {
				_, _ = s.Approve(t.Context(), j.ID, Answer{By: "ann", Allow: true}) // the reconciler may be quicker
			}
		}
		if time.Now().After(deadline) {
			for _, j := range jobs {
				t.Errorf("stuck: %s %s %s %s", j.ID, j.State, j.Reason, j.Detail)
			}
			return
		}
		time.Sleep(time.Second)
	}
}

// crashOnce runs the matrix in a process that dies at its nth effect, then in
// another one, and checks the promises. It returns the effect that was fatal.
func crashOnce(t *testing.T, at int, after bool, successor string) (what string) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(3)
		crash := newCrasher(at, after)
		defer func() {
			if t.Failed() {
				t.Logf("crash at effect %d (%s), after it: %t, successor %s", at, crash.fatal(), after, successor)
			}
		}()
		s, err := New(w.config("one", crash))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Run(ctx) }()
		accepted := true
		if _, err := s.Enqueue(ctx, matrixJobs()...); err != nil {
			accepted = false // the events are delivered again
		}
		if accepted {
			go approveAll(ctx, s)
			w.processes = append(w.processes, process{s, crash})
			for deadline := time.Now().Add(3 * time.Hour); !crash.isDead() && !w.idle() && time.Now().Before(deadline); {
				time.Sleep(100 * time.Millisecond)
			}
		}
		cancel()
		<-ended
		what = crash.fatal()
		finishMatrix(t, w, successor)
		w.check(t)
	})
	return what
}

// idle reports whether no job is live and every claim that is left is that of a process
// that lives, for a session that it keeps.
func (w *world) idle() bool {
	table, _, _ := w.table.Load(context.Background())
	for sensor, cl := range table.Claims {
		kept := slices.ContainsFunc(w.processes, func(p process) bool { return p.keeps(sensor, cl) })
		if !kept {
			return false
		}
	}
	return len(w.live()) == 0
}

// live are the jobs that have not been archived.
func (w *world) live() (all []*Job) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = w.store.Watch(ctx, func(c Change) {
		if c.Synced {
			cancel()
		} else if c.Job != nil {
			all = append(all, c.Job)
		}
	})
	return all
}

func approveAll(ctx context.Context, s *Scheduler) {
	for pace.Sleep(ctx, time.Second) == nil {
		_, _ = s.Approve(ctx, "job-3", Answer{By: "ann", Allow: true})
	}
}

// check holds the world to the promises: no job lost, none twice, none stuck.
func (w *world) check(t *testing.T) {
	t.Helper()
	unknown := map[string]bool{}
	for i, j := range matrixJobs() {
		got, err := w.store.Get(t.Context(), j.ID)
		if err != nil {
			t.Errorf("lost: %v", err)
			continue
		}
		want := Succeeded
		if i == 4 {
			want = Failed
		}
		if got.State == Unknown {
			unknown[j.ID] = true
		} else if got.State != want {
			t.Errorf("%s ended as %s (%s: %s), want %s", j.ID, got.State, got.Reason, got.Detail, want)
		}
		states := w.published(j.ID)
		if len(states) == 0 || states[len(states)-1] != got.State || states[0] != got.State {
			t.Errorf("%s: published results %v, the job ended as %s", j.ID, states, got.State)
		}
	}
	for _, name := range matrixOnce {
		if n := w.srv.seen().ran[name]; n > 1 || n == 0 && len(unknown) == 0 {
			t.Errorf("%s ran %d times, want once", name, n)
		}
	}
	if w.srv.seen().ran["2 create process never"] > 0 {
		t.Error("a step after a failed one ran")
	}
	if w.srv.isolated(2) && !unknown["job-2"] {
		t.Error("the isolation was not undone")
	}
	for id, session := range w.srv.allSessions() {
		if live(session) {
			t.Errorf("session %d on sensor %s was left open", id, session.SensorID)
		}
	}
	if len(unknown) > 1 {
		t.Errorf("%d jobs are unknown after one crash: %v", len(unknown), unknown)
	}
	table, _, _ := w.table.Load(t.Context())
	if len(table.Claims) > 0 {
		t.Errorf("claims are left: %v", table.Claims)
	}
}

// TestCrashMatrix kills a process at each of its effects in turn, before and
// after the effect, and lets the same replica or another one go on.
func TestCrashMatrix(t *testing.T) {
	points, fatal := 0, map[string]int{}
	for _, after := range []bool{false, true} {
		for _, successor := range []string{"one", "two"} {
			stride := 11
			if *full {
				stride = 1
			}
			for at := 1; ; at += stride {
				what := crashOnce(t, at, after, successor)
				if what == "" {
					break // it ended before dying
				}
				points++
				fatal[what]++
			}
		}
	}
	t.Logf("%d crash points survived, by fatal effect: %v", points, fatal)
}

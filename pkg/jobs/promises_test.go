package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs/job"
)

// TestAResultThatCannotBePublishedKeepsItsJob: until its result is published a job is
// among the live ones, and what is tried again is the same result.
func TestAResultThatCannotBePublishedKeepsItsJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, store := newFakeServer(10), new(Memory)
		srv.add(1, 30*time.Second)
		var mu sync.Mutex
		var tried []*Job
		down := true
		s, stop := start(t, Config{Server: srv, Store: store, Report: func(_ context.Context, r Report) error {
			mu.Lock()
			defer mu.Unlock()
			if !r.Final {
				return nil
			}
			tried = append(tried, r.Job)
			if down {
				return errors.New("the bus takes nothing")
			}
			return nil
		}})
		defer stop()
		j := chain(1, step("test_say", "x"))
		enqueue(t, s, j)
		time.Sleep(10 * time.Minute)
		if done, err := job.AllFinished(t.Context(), store, time.Time{}); err != nil || len(done) != 0 {
			t.Errorf("%d jobs are archived without a published result, %v", len(done), err)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(time.Minute)
		if done, err := job.AllFinished(t.Context(), store, time.Time{}); err != nil || len(done) != 1 {
			t.Errorf("%d jobs are archived after the result was published, %v", len(done), err)
		}
		mu.Lock()
		defer mu.Unlock()
		first, last := tried[0], tried[len(tried)-1]
		if len(tried) < 10 || first.ID != last.ID || !first.Ended.Equal(last.Ended) || first.State != last.State {
			t.Errorf("%d tries; the first is of %s %s %v, the last of %s %s %v", len(tried), first.ID, first.State, first.Ended, last.ID, last.State, last.Ended)
		}
	})
}

// TestGuardsAreAskedAtEachTry: what was allowed before a step failed may be forbidden when
// it is tried again.
func TestGuardsAreAskedAtEachTry(t *testing.T) {
	t.Parallel()
	for _, backoff := range []time.Duration{time.Second, time.Minute} { // in place, and parked
		synctest.Test(t, func(t *testing.T) {
			srv := newFakeServer(10)
			srv.add(1, 30*time.Second)
			asked := 0
			s, stop := start(t, Config{Server: srv, Admit: func(context.Context, admission.Request) admission.Verdict {
				if asked++; asked > 1 {
					return admission.Verdict{Decision: admission.Deny, Guard: "changed", Detail: "no more"}
				}
				return admission.Verdict{}
			}})
			defer stop()
			failing := step("test_refused", "x")
			failing.Retry = &actions.Retry{Max: 5, Backoff: backoff}
			j := chain(1, failing)
			enqueue(t, s, j)
			got := wantEnd(t, s, j.ID, Denied)
			if asked != 2 || got.Done[0].Attempts != 1 {
				t.Errorf("with pauses of %v: asked %d times for %d tries", backoff, asked, got.Done[0].Attempts)
			}
		})
	}
}

// TestStopBetweenTwoCommands: a stop takes hold before the next command of a step that can
// be begun anew, and the job goes on after it.
func TestStopBetweenTwoCommands(t *testing.T) {
	t.Parallel()
	for uses, second := range map[string]string{"test_read_twice": "1 get file x-2", "test_twice": "1 create process x"} {
		synctest.Test(t, func(t *testing.T) {
			srv := newFakeServer(10)
			srv.add(1, 30*time.Second)
			var stopped atomic.Bool
			var first sync.Once
			why := errors.New("ann stopped everything")
			s, stop := start(t, Config{
				Server:    srv,
				Commanded: func(Commanded) { first.Do(func() { stopped.Store(true) }) },
				Stopped: func() error {
					if stopped.Load() {
						return why
					}
					return nil
				},
			})
			defer stop()
			j := chain(1, step(uses, "x"))
			enqueue(t, s, j)
			time.Sleep(10 * time.Minute)
			whole := uses == "test_twice" // it must not be left half done
			if n := srv.seen().ran[second]; (n > 0) != whole {
				t.Errorf("%s: %q ran %d times while everything was stopped", uses, second, n)
			}
			if !whole {
				x := wantReason(t, s, j.ID, ReasonPaused)
				if x.Job.State != Queued || !strings.Contains(x.Detail, why.Error()) {
					t.Errorf("while stopped the job is %s: %s", x.Job.State, x.Detail)
				}
			}
			stopped.Store(false)
			wantEnd(t, s, j.ID, Succeeded)
			if n := srv.seen().ran[second]; n != 1 && whole || n == 0 {
				t.Errorf("%s: %q ran %d times in the end", uses, second, n)
			}
		})
	}
}

// TestEachItemOfALoopIsUndone with the arguments that it was done with.
func TestEachItemOfALoopIsUndone(t *testing.T) {
	t.Parallel()
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		each := actions.Step{ID: "each", Uses: "test_isolate", Foreach: `["p", "q", "r"]`, With: map[string]any{"name": "${{ item }}"}, UndoAfter: time.Minute}
		j := chain(1, each)
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		time.Sleep(2 * time.Minute)
		done, err := job.AllFinished(t.Context(), s.cfg.Store, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var undone []string
		for _, u := range done {
			if u.Of == j.ID && u.State == Succeeded && u.Steps[0].Uses == "test_release" {
				undone = append(undone, fmt.Sprint(u.Steps[0].With["name"]))
			}
		}
		slices.Sort(undone)
		if n := srv.seen().ran["1 isolate false"]; !slices.Equal(undone, []string{"p", "q", "r"}) || n == 0 {
			t.Errorf("undone: %v, released %d times", undone, n)
		}
	})
}

// TestAGroupIsOneAtATime, whatever sensors its jobs are for and whichever replica has them.
func TestAGroupIsOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(4)
		w.srv.took = 20 * time.Second
		all, stop := w.replicas(t, nil, nil)
		defer stop()
		owners := map[string]bool{}
		for round := 1; round <= 4; round++ {
			first, second := all[round%2], all[(round+1)%2]
			second.Pause("the other replica begins")
			for i := range 12 {
				j := chain(1+i%4, step("test_run", fmt.Sprint(round, i)))
				j.Group = "one at a time"
				enqueue(t, all[i%2], j)
			}
			time.Sleep(35 * time.Second) // one of the jobs is under way
			second.Resume()
			first.Pause("the other replica goes on")
			w.untilIdle(t, time.Hour)
			first.Resume()
			done, err := job.AllFinished(t.Context(), w.store, time.Time{})
			if err != nil || len(done) != 12*round {
				t.Fatalf("round %d: %d jobs, %v", round, len(done), err)
			}
			slices.SortFunc(done, func(a, b *Job) int { return a.Started.Compare(b.Started) })
			for i, j := range done {
				owners[j.Owner] = true
				if i > 0 && j.Started.Before(done[i-1].Ended) {
					t.Errorf("job %s of sensor %s began at %v, %s of %s ended at %v", j.ID, j.Endpoint, j.Started, done[i-1].ID, done[i-1].Endpoint, done[i-1].Ended)
				}
			}
		}
		if len(owners) < 2 {
			t.Errorf("only %v had jobs: the test shows nothing of replicas", owners)
		}
	})
}

// TestKeepAlivesKeepASession that is idle for longer than the server would keep it.
func TestKeepAlivesKeepASession(t *testing.T) {
	t.Parallel()
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		first, second := chain(1, step("test_run", "a")), chain(1, step("test_run", "b"))
		enqueue(t, s, first)
		wantEnd(t, s, first.ID, Succeeded)
		time.Sleep(5 * sessionTimeout)
		enqueue(t, s, second)
		wantEnd(t, s, second.ID, Succeeded)
		if seen := srv.seen(); seen.opened != 1 || seen.requests["dead"] != 0 {
			t.Errorf("%d sessions were opened, %d commands met a dead one; want one that is kept", seen.opened, seen.requests["dead"])
		}
	})
}

// TestAReturningSensorIsVisitedAtOnce: that it was silent before counts no more.
func TestAReturningSensorIsVisitedAtOnce(t *testing.T) {
	t.Parallel()
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.set(1, func(sn *fakeSensor) { sn.silent = true })
		j := chain(1, step("test_read", "a"))
		enqueue(t, s, j)
		time.Sleep(3 * time.Hour) // until it is rested for as long as sensors are
		srv.set(1, func(sn *fakeSensor) { sn.online = false })
		time.Sleep(2 * time.Minute)
		srv.set(1, func(sn *fakeSensor) { sn.online, sn.silent = true, false })
		back := time.Now()
		got := wantEnd(t, s, j.ID, Succeeded)
		if took := got.Ended.Sub(back); took > 2*time.Minute { // a poll, a check-in, the command
			t.Errorf("done %v after the sensor's return", took)
		}
	})
}

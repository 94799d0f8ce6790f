package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/admission"
)

// TestWhileStoppedNothingStartsAndOrderIsKept: jobs that come before and during a
// stop run in their order, soon after its end, and say meanwhile who stopped them.
func TestWhileStoppedNothingStartsAndOrderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var halt atomic.Bool
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		s, stop := start(t, Config{Server: srv, Stopped: func() error {
			if halt.Load() {
				return errors.New("stopped by ann: drill")
			}
			return nil
		}})
		defer stop()
		var all []*Job
		add := func() {
			j := chain(1, step("test_run", fmt.Sprint(len(all))), step("test_run", fmt.Sprintf("%d, again", len(all))))
			enqueue(t, s, j)
			all = append(all, j)
			time.Sleep(7 * time.Second)
		}
		add()
		halt.Store(true) // the first is waiting for its check-in, or under way
		synctest.Wait()
		before := len(srv.seen().order[1])
		for range 5 {
			add()
		}
		time.Sleep(10 * time.Minute)
		if n := len(srv.seen().order[1]) - before; n > 0 {
			t.Errorf("%d commands ran during the stop", n)
		}
		if x, err := s.Explain(t.Context(), all[3].ID); err != nil || x.Reason != ReasonPaused || x.Detail != "nothing is started now: stopped by ann: drill" {
			t.Errorf("a job waits for %s (%s), %v", x.Reason, x.Detail, err)
		}
		opened := srv.seen().opened
		time.Sleep(10 * time.Minute)
		if n := srv.seen().opened - opened; n > 0 {
			t.Errorf("%d sessions were opened in ten minutes of standing still", n)
		}
		halt.Store(false)
		over := time.Now()
		for _, j := range all {
			ended := wantEnd(t, s, j.ID, Succeeded)
			if took := ended.Ended.Sub(over); took > time.Minute { // a beat, a check-in, the steps
				t.Errorf("a job ended %v after the stop was over", took)
			}
		}
		for i, name := range srv.seen().order[1] {
			want := fmt.Sprint(i / 2)
			if i%2 == 1 {
				want += ", again"
			}
			if name != want {
				t.Fatalf("ran %q, not in order", srv.seen().order[1])
			}
		}
	})
}

// TestAGuardThatCannotDecideKeepsTheOrder: the first job meets a guard whose state
// cannot be read; the second, which comes when it can, does not pass it.
func TestAGuardThatCannotDecideKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := time.Now().Add(time.Minute)
		srv := newFakeServer(10)
		srv.add(1, time.Second)
		s, stop := start(t, Config{Server: srv, Admit: func(context.Context, admission.Request) admission.Verdict {
			if time.Now().Before(away) {
				return admission.Verdict{Decision: admission.Hold, Reason: "guard_state", Detail: "the bus is away", InOrder: true}
			}
			return admission.Verdict{}
		}})
		defer stop()
		first := chain(1, step("test_run", "first"))
		enqueue(t, s, first)
		time.Sleep(59 * time.Second)
		second := chain(1, step("test_run", "second"))
		enqueue(t, s, second)
		if took := wantEnd(t, s, second.ID, Succeeded).Ended.Sub(away); took > 10*time.Second {
			t.Errorf("the second job ended %v after the guard could decide again", took)
		}
		if got := srv.seen().order[1]; len(got) != 2 || got[0] != "first" {
			t.Errorf("ran %v, want first, second", got)
		}
	})
}

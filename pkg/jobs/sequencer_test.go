package jobs

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestACommandDoesNotWaitForReports though the first takes a minute; each later one
// is quicker, and they come in order all the same.
func TestACommandDoesNotWaitForReports(t *testing.T) {
	const slow = time.Minute
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, time.Second)
		var (
			mu      sync.Mutex // guards reports and told
			reports int
			told    []string
			ran     time.Time
		)
		s, stop := start(t, Config{
			Server: srv,
			Report: func(_ context.Context, r Report) error {
				mu.Lock()
				takes := slow >> reports
				reports++
				mu.Unlock()
				time.Sleep(takes)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case r.Final:
					told = append(told, "result")
				case r.Step != nil:
					told = append(told, "step")
				default:
					told = append(told, string(r.Transition.State))
				}
				return nil
			},
			Commanded: func(Commanded) { ran = time.Now() },
		})
		j, begun := chain(1, step("test_run", "x")), time.Now()
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		stop()
		if took := ran.Sub(begun); took >= slow {
			t.Errorf("the command ran after %v", took)
		}
		if want := []string{"queued", "running", "step", "succeeded", "result"}; !slices.Equal(slices.Compact(told), want) { // a result is told again while it is not taken
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

// TestWhatWasNotRecordedIsNotTold: a job that is there already, and one that could
// not be recorded, hold up no report.
func TestWhatWasNotRecordedIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, time.Second)
		queued := 0
		s, stop := start(t, Config{Server: srv, Report: func(_ context.Context, r Report) error {
			if r.Transition != nil && r.Transition.State == Queued {
				queued++
			}
			return nil
		}})
		first := chain(1, step("test_run", "x"))
		enqueue(t, s, first)
		again, big := chain(1, step("test_run", "x")), chain(1, step("test_run", string(make([]byte, MaxRecord))))
		again.ID = first.ID
		enqueue(t, s, again)
		if _, err := s.Enqueue(t.Context(), again, big); err == nil {
			t.Error("a job larger than a record was recorded")
		}
		wantEnd(t, s, first.ID, Succeeded)
		stop()
		if queued != 1 {
			t.Errorf("told %d times that a job is queued, want once", queued)
		}
		if n := len(s.records.sequencer.last); n != 0 {
			t.Errorf("%d jobs still have a turn", n)
		}
	})
}

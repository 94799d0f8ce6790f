package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
)

// scenario runs a test in virtual time on a server with so many sensors.
func scenario(t *testing.T, sensors int, test func(t *testing.T, srv *fakeServer, s *Scheduler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(sensors, 30*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer func() {
			stop()
			time.Sleep(10 * time.Minute) // what the sensors still do
		}()
		test(t, srv, s)
	})
}

// wantReason checks why a job waits.
func wantReason(t *testing.T, s *Scheduler, id string, want Reason) Explanation {
	t.Helper()
	x, err := s.Explain(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if x.Reason != want {
		t.Errorf("job waits for %q (%s), want %q", x.Reason, x.Detail, want)
	}
	return x
}

func TestOfflineSensorsParkTheirJobsAndWakeThem(t *testing.T) {
	scenario(t, 50, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		for i := 1; i <= 50; i++ {
			srv.set(i, func(sn *fakeSensor) { sn.online = false })
		}
		var ids []string
		for i := range 200 {
			j := chain(1+i%50, step("test_read", fmt.Sprint(i)))
			enqueue(t, s, j)
			ids = append(ids, j.ID)
		}
		time.Sleep(time.Minute)
		x := wantReason(t, s, ids[0], ReasonOffline)
		if x.Job.State != Parked || !strings.Contains(x.Detail, "offline since") {
			t.Errorf("state %s, %q; want parked, offline since", x.Job.State, x.Detail)
		}
		before := srv.seen().requests["all"]
		time.Sleep(10 * time.Minute)
		if n := srv.seen().requests["all"] - before; n > 21 { // a query each half minute
			t.Errorf("%d requests in ten minutes for 200 parked jobs", n)
		}
		if srv.seen().opened != 0 {
			t.Errorf("%d sessions were opened on sleeping sensors", srv.seen().opened)
		}
		srv.set(1, func(sn *fakeSensor) { sn.online = true })
		back := time.Now()
		// The sensor's four jobs were made in one moment, so any of them may be first;
		// the others wait for it on the same session.
		first := time.Duration(math.MaxInt64)
		for i := 0; i < len(ids); i += 50 {
			first = min(first, wantEnd(t, s, ids[i], Succeeded).Started.Sub(back))
		}
		if first > time.Minute { // a poll, then a check-in
			t.Errorf("started %v after the sensor's return, want within one poll and check-in", first)
		}
		expired := wantEnd(t, s, ids[1], Expired)
		if waited := expired.Ended.Sub(expired.Created); waited < 72*time.Hour || waited > 72*time.Hour+time.Minute {
			t.Errorf("expired after %v, want 72h", waited)
		}
		if expired.Reason != ReasonDeadline || !strings.Contains(expired.Detail, "offline") {
			t.Errorf("expired because of %s: %q", expired.Reason, expired.Detail)
		}
	})
}

func TestOfflineSensorsDoNotDelayWhatNeedsNoSession(t *testing.T) {
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.set(1, func(sn *fakeSensor) { sn.online = false })
		read, isolate := chain(1, step("test_read", "a")), chain(1, step("test_isolate", "x"))
		enqueue(t, s, read, isolate)
		wantEnd(t, s, isolate.ID, Succeeded)
		time.Sleep(time.Second)
		wantReason(t, s, read.ID, ReasonOffline)
	})
}

func TestSilentSensorsGiveTheirSlotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(1)
		srv.add(2, 30*time.Second)
		srv.set(1, func(sn *fakeSensor) { sn.silent = true })
		s, stop := start(t, Config{Server: srv, Sessions: 1})
		defer stop()
		silent, other := chain(1, step("test_read", "a")), chain(2, step("test_read", "b"))
		enqueue(t, s, silent)
		time.Sleep(40 * time.Second)
		wantReason(t, s, silent.ID, ReasonPending)
		enqueue(t, s, other)
		got := wantEnd(t, s, other.ID, Succeeded)
		if took := got.Ended.Sub(got.Created); took > 3*time.Minute {
			t.Errorf("the other sensor's job took %v", took)
		}
		opened := srv.seen().opened
		time.Sleep(time.Hour)
		if n := srv.seen().opened - opened; n > 12 {
			t.Errorf("%d sessions in an hour on a sensor that never comes in", n)
		}
	})
}

func TestUnknownSensorFails(t *testing.T) {
	scenario(t, 1, func(t *testing.T, _ *fakeServer, s *Scheduler) {
		j, good := chain(99, step("test_read", "a")), chain(1, step("test_read", "b"))
		enqueue(t, s, j, good)
		if got := wantEnd(t, s, j.ID, Failed); got.Reason != ReasonUnknownSensor {
			t.Errorf("reason %s", got.Reason)
		}
		wantEnd(t, s, good.ID, Succeeded)
	})
}

// TestEveryJobEndsWhateverFails has each kind of request fail for ten minutes.
func TestEveryJobEndsWhateverFails(t *testing.T) {
	for _, kind := range []string{"sensor", "sensors", "sessions", "open", "close", "command", "commands", "lost"} {
		for _, err := range []error{edr.ErrServer, edr.ErrTimeout, edr.ErrUnauthorized, edr.ErrSessionLimit, edr.ErrAmbiguous} {
			t.Run(kind+" "+err.Error(), func(t *testing.T) {
				scenario(t, 4, func(t *testing.T, srv *fakeServer, s *Scheduler) {
					until := time.Now().Add(10 * time.Minute)
					srv.fail = func(request string, _ int) error {
						if request == kind && time.Now().Before(until) {
							return fmt.Errorf("planted: %w", err)
						}
						return nil
					}
					var ids []string
					for i := range 12 {
						j := chain(1+i%4, step([]string{"test_read", "test_delete", "test_run"}[i%3], fmt.Sprint(i)))
						enqueue(t, s, j)
						ids = append(ids, j.ID)
					}
					for _, id := range ids {
						j, err := s.Wait(t.Context(), id)
						if err != nil || !j.State.Terminal() {
							t.Errorf("job %v, %v: not ended", j, err)
						}
						if took := j.Ended.Sub(j.Created); took > time.Hour {
							t.Errorf("%s after %v", j.State, took)
						}
					}
					if srv.seen().refused > 100 || srv.seen().requests["open"] > 150 {
						t.Errorf("%d opens in ten minutes of failure: a hot loop", srv.seen().requests["open"])
					}
					for name, n := range srv.seen().ran {
						if n > 1 && strings.Contains(name, "create process") {
							t.Errorf("%s ran %d times", name, n)
						}
					}
				})
			})
		}
	}
}

func TestHeldJobWaitsForPeople(t *testing.T) {
	ask := func(within time.Duration, otherwise string) actions.Step {
		st := step("test_run", "asked")
		st.Approval = &actions.Approval{From: []string{"leads"}, Require: 2, Within: within, Otherwise: otherwise}
		return st
	}
	yes := func(by string) Answer { return Answer{By: by, Groups: []string{"leads"}, Allow: true} }
	scenario(t, 2, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		granted, refused := chain(1, step("test_read", "a"), ask(time.Hour, "")), chain(1, ask(time.Hour, ""))
		late, anyway := chain(1, ask(time.Hour, "deny")), chain(1, ask(time.Hour, "allow"))
		enqueue(t, s, granted, refused, late, anyway)
		time.Sleep(10 * time.Minute)
		wantReason(t, s, granted.ID, ReasonApproval)
		for _, c := range []struct {
			job  string
			ans  Answer
			fine bool
		}{
			{granted.ID, Answer{By: "eve", Allow: true}, false},
			{granted.ID, yes("ann"), true},
			{granted.ID, yes("ann"), false}, // once per person
			{granted.ID, yes("bob"), true},
			{refused.ID, Answer{By: "ann", Groups: []string{"leads"}, Why: "not this one"}, true},
		} {
			if _, err := s.Approve(t.Context(), c.job, c.ans); (err == nil) != c.fine {
				t.Errorf("%s's answer: %v", c.ans.By, err)
			}
		}
		wantEnd(t, s, granted.ID, Succeeded)
		if got := wantEnd(t, s, refused.ID, Denied); !strings.Contains(got.Detail, "ann said no: not this one") {
			t.Errorf("denied with %q", got.Detail)
		}
		if got := wantEnd(t, s, late.ID, Denied); got.Reason != ReasonUnanswered {
			t.Errorf("denied because of %s", got.Reason)
		}
		wantEnd(t, s, anyway.ID, Succeeded)
		if n := srv.seen().ran[key(1, "create process", "asked")]; n != 2 {
			t.Errorf("the step ran %d times, want 2", n)
		}
	})
}

// Guards learn whether people have yet to agree, so that they count only what acts.
func TestGuardsAreToldWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		var pending []bool
		s, stop := start(t, Config{Server: srv, Admit: func(_ context.Context, q admission.Request) admission.Verdict {
			pending = append(pending, q.Pending)
			return admission.Verdict{}
		}})
		st := step("test_read", "x")
		st.Approval = &actions.Approval{From: []string{"leads"}}
		j := chain(1, st)
		enqueue(t, s, j)
		time.Sleep(10 * time.Minute)
		if _, err := s.Approve(t.Context(), j.ID, Answer{By: "ann", Groups: []string{"leads"}, Allow: true}); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, j.ID, Succeeded)
		stop()
		if want := []bool{true, false}; !slices.Equal(pending, want) {
			t.Errorf("pending = %v, want %v", pending, want)
		}
		time.Sleep(10 * time.Minute) // what the sensor still does
	})
}

func TestUndoAfter(t *testing.T) {
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		st := step("test_isolate", "x")
		st.UndoAfter = 4 * time.Hour
		a, b := chain(1, st), chain(1, st)
		enqueue(t, s, a)
		wantEnd(t, s, a.ID, Succeeded)
		time.Sleep(4*time.Hour - time.Minute)
		if !srv.isolated(1) {
			t.Error("released before its time")
		}
		time.Sleep(2 * time.Minute)
		if srv.isolated(1) {
			t.Error("not released after four hours")
		}
		enqueue(t, s, b)
		wantEnd(t, s, b.ID, Succeeded)
		ids, err := s.Undo(t.Context(), b.ID, "ann")
		if err != nil || len(ids) != 1 {
			t.Fatalf("Undo = %v, %v", ids, err)
		}
		wantEnd(t, s, ids[0], Succeeded)
		if srv.isolated(1) {
			t.Error("not released on request")
		}
	})
}

func TestCancel(t *testing.T) {
	scenario(t, 2, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.took = time.Minute
		running, queued := chain(1, step("test_run", "long")), chain(1, step("test_run", "never"))
		enqueue(t, s, running, queued)
		for srv.seen().requests["command"] == 0 {
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		for _, id := range []string{running.ID, queued.ID} {
			if _, err := s.Cancel(t.Context(), id, "ann", "wrong host"); err != nil {
				t.Fatal(err)
			}
		}
		got := wantEnd(t, s, running.ID, Cancelled)
		if !strings.Contains(got.Detail, "left to finish") || !strings.Contains(got.Detail, "by ann: wrong host") {
			t.Errorf("cancelled with %q", got.Detail)
		}
		wantEnd(t, s, queued.ID, Cancelled)
		h, err := s.Submit(t.Context(), "2", nil)
		if err == nil {
			t.Errorf("a function of nil was taken: %v", h)
		}
		time.Sleep(10 * time.Minute)
		if n := srv.seen().ran[key(1, "create process", "never")]; n != 0 {
			t.Error("a cancelled job ran")
		}
	})
}

func TestCancelTakesAPendingCommandBack(t *testing.T) {
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.took = time.Minute
		// Another step's command keeps the sensor busy, so that ours is pending.
		left := chain(1, actions.Step{Uses: "test_run", With: map[string]any{"name": "first"}}, step("test_run", "second"))
		enqueue(t, s, left)
		for srv.seen().requests["command"] == 0 {
			time.Sleep(time.Second)
		}
		synctest.Wait() // the sensor has taken it up
		srv.mu.Lock()
		srv.sessions[1].commands[0].Status = edr.CommandPending // the sensor has not begun it
		srv.mu.Unlock()
		if _, err := s.Cancel(t.Context(), left.ID, "ann", ""); err != nil {
			t.Fatal(err)
		}
		got := wantEnd(t, s, left.ID, Cancelled)
		if !strings.Contains(got.Detail, "taken back") || got.Done[0].State != StepFailed {
			t.Errorf("cancelled with %q, step %s", got.Detail, got.Done[0].State)
		}
	})
}

func TestConcurrencyPolicies(t *testing.T) {
	for policy, want := range map[Policy][2]State{
		Queue:   {Succeeded, Succeeded},
		Join:    {Succeeded, Cancelled},
		Drop:    {Succeeded, Denied},
		Replace: {Cancelled, Succeeded},
	} {
		t.Run(string(policy), func(t *testing.T) {
			scenario(t, 2, func(t *testing.T, srv *fakeServer, s *Scheduler) {
				srv.took = time.Minute
				a, b := chain(1, step("test_run", "a")), chain(2, step("test_run", "b"))
				a.Group, a.Policy, b.Group, b.Policy = "g", policy, "g", policy
				enqueue(t, s, a)
				time.Sleep(time.Second)
				enqueue(t, s, b)
				first, second := wantEnd(t, s, a.ID, want[0]), wantEnd(t, s, b.ID, want[1])
				if policy == Queue && second.Started.Before(first.Ended) && first.Started.Before(second.Ended) {
					t.Error("two jobs of one group ran at once")
				}
			})
		})
	}
}

func TestUnknownOutcomeIsForPeople(t *testing.T) {
	for outcome, runs := range map[Outcome]int{Happened: 1, Never: 2} {
		scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
			lost, listed := true, true
			srv.fail = func(request string, _ int) error {
				switch {
				case request == "lost" && lost:
					lost = false
					return edr.ErrAmbiguous
				case request == "commands" && listed:
					return errors.New("gone with the server's history")
				}
				return nil
			}
			j := chain(1, step("test_run", "a"), step("test_read", "b"))
			enqueue(t, s, j)
			got := wantEnd(t, s, j.ID, Unknown)
			if got.Done[0].State != StepUnknown || len(got.Done) > 1 && got.Done[1].State == StepOK {
				t.Errorf("steps %+v", got.Done)
			}
			listed = false
			if _, err := s.Retry(t.Context(), j.ID, "ann"); err == nil {
				t.Error("an unknown outcome was retried without a word on it")
			}
			next, err := s.Resolve(t.Context(), j.ID, outcome, "ann")
			if err != nil {
				t.Fatal(err)
			}
			wantEnd(t, s, next.ID, Succeeded)
			if n := srv.seen().requests["command"] - 1; n != runs {
				t.Errorf("%s: %d further commands, want %d", outcome, n, runs)
			}
		})
	}
}

func TestRetryGoesOnAfterWhatSucceeded(t *testing.T) {
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		failing := true
		srv.fail = func(request string, _ int) error {
			if request == "command" && failing && srv.requests["command"] > 1 {
				return edr.ErrUnauthorized
			}
			return nil
		}
		j := chain(1, step("test_run", "a"), step("test_run", "b"))
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Failed)
		failing = false
		for range 2 { // pressed twice: one job
			next, err := s.Retry(t.Context(), j.ID, "ann")
			if err != nil {
				t.Fatal(err)
			}
			wantEnd(t, s, next.ID, Succeeded)
		}
		for _, name := range []string{"a", "b"} {
			if n := srv.seen().ran[key(1, "create process", name)]; n != 1 {
				t.Errorf("%s ran %d times, want once", name, n)
			}
		}
	})
}

func TestShutdownEndsStepsAndClosesSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(2, 30*time.Second)
		store := new(Memory)
		s, stop := start(t, Config{Server: srv, Store: store})
		j := chain(1, step("test_run", "a"), step("test_run", "b"), step("test_run", "c"))
		enqueue(t, s, j)
		for srv.seen().requests["command"] == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		got, err := store.Get(t.Context(), j.ID)
		if err != nil || got.State != Queued || got.Reason != ReasonShutdown || got.Done[0].State != StepOK {
			t.Errorf("after the stop: %s %s %+v, %v", got.State, got.Reason, got.Done, err)
		}
		for id, session := range srv.allSessions() {
			if live(session) {
				t.Errorf("session %d was left open", id)
			}
		}
		s, stop = start(t, Config{Server: srv, Store: store})
		defer stop()
		wantEnd(t, s, j.ID, Succeeded)
		for name, n := range srv.seen().ran {
			if n != 1 {
				t.Errorf("%s ran %d times", name, n)
			}
		}
	})
}

// TestAJobParkedForItsBackOffWaitsOnForItsSensor: when the back-off is over its
// sensor sleeps. It stays parked, says for what, and its record is left alone.
func TestAJobParkedForItsBackOffWaitsOnForItsSensor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		srv.set(1, func(sn *fakeSensor) { sn.online = false })
		var logged bytes.Buffer
		s, stop := start(t, Config{Server: srv, Log: zerolog.New(&logged).Level(zerolog.WarnLevel)})
		defer stop()
		j := chain(1, step("test_read", "a"))
		j.State, j.Reason, j.WakeAt = Parked, ReasonRetry, time.Now().Add(time.Minute)
		j.Deadline = time.Now().Add(time.Hour)
		enqueue(t, s, j)
		time.Sleep(10 * time.Minute)
		wantReason(t, s, j.ID, ReasonOffline)
		if now, err := s.Get(t.Context(), j.ID); err != nil || len(now.History) > 2 {
			t.Errorf("its record has %d transitions, %v; want at most 2", len(now.History), err)
		}
		if logged.Len() > 0 {
			t.Errorf("logged: %.300s", logged.String())
		}
	})
}

// TestRecordsAreJudgedByTheTimeTheyAreStampedWith: all replicas' time, which is not
// that of this machine.
func TestRecordsAreJudgedByTheTimeTheyAreStampedWith(t *testing.T) {
	for _, off := range []time.Duration{-3 * time.Hour, 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			srv := newFakeServer(10)
			srv.add(1, 30*time.Second)
			now := func() time.Time { return time.Now().Add(off) }
			s, stop := start(t, Config{Server: srv, Now: now})
			defer func() { stop(); time.Sleep(time.Minute) }()
			late, early := chain(1, step("test_read", "late")), chain(1, step("test_read", "early"))
			late.State, late.Reason, late.WakeAt = Parked, ReasonDelayed, now().Add(time.Hour)
			early.Deadline = now().Add(time.Minute)
			enqueue(t, s, late, early)
			begun := now()
			if j := wantEnd(t, s, early.ID, Succeeded); j.Created.After(now()) || begun.Sub(j.Created) > time.Second {
				t.Errorf("off by %v: the job was made at %v, it is %v", off, j.Created, now())
			}
			wantEnd(t, s, late.ID, Succeeded)
			if waited := now().Sub(begun); waited < time.Hour || waited > 2*time.Hour {
				t.Errorf("off by %v: the delayed job ended after %v, it was to wait for an hour", off, waited)
			}
		})
	}
}

// TestACheckInThatIsNotForetold is waited for as long as the session may stay pending:
// giving up after seconds would close and open sessions for ever.
func TestACheckInThatIsNotForetold(t *testing.T) {
	t.Parallel()
	scenario(t, 1, func(t *testing.T, srv *fakeServer, s *Scheduler) {
		srv.set(1, func(sn *fakeSensor) {
			sn.untold, sn.interval, sn.phase = true, time.Hour, time.Now().Add(10*time.Minute)
		})
		j := chain(1, step("test_run", "x"))
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		if n := srv.seen().opened; n != 1 {
			t.Errorf("%d sessions were opened, want 1", n)
		}
	})
}

// TestASessionWithoutWorkIsKeptForIdle and no longer, though nothing else wants its slot.
func TestASessionWithoutWorkIsKeptForIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 10*time.Second)
		s, stop := start(t, Config{Server: srv, Idle: time.Minute})
		defer func() { stop(); time.Sleep(time.Minute) }()
		first := chain(1, step("test_run", "x"))
		enqueue(t, s, first)
		wantEnd(t, s, first.ID, Succeeded)
		time.Sleep(50 * time.Second)
		second := chain(1, step("test_run", "y"))
		enqueue(t, s, second)
		wantEnd(t, s, second.ID, Succeeded)
		if n := srv.seen().opened; n != 1 {
			t.Errorf("%d sessions were opened within Idle, want 1", n)
		}
		time.Sleep(62 * time.Second)
		for id, info := range srv.allSessions() {
			if info.Status == edr.SessionActive {
				t.Errorf("session %d is kept beyond Idle", id)
			}
		}
	})
}

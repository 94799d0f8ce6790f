package jobs

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/jobs/job"

	"pgregory.net/rapid"
)

// replicas starts processes in a world; each may die or stall.
func (w *world) replicas(t *testing.T, crashes ...*crasher) (all []*Scheduler, stop func()) {
	var stops []func()
	for i, crash := range crashes {
		s, stop := start(t, w.config(fmt.Sprintf("replica-%d", i), crash))
		all, stops = append(all, s), append(stops, stop)
		w.processes = append(w.processes, process{s, crash})
	}
	return all, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// untilIdle waits until no job is live and no sensor worked on.
func (w *world) untilIdle(t *testing.T, limit time.Duration) {
	t.Helper()
	// Twice in a row: a replica may just be looking at a sensor whose last job
	// another one has ended.
	deadline := time.Now().Add(limit)
	for quiet := 0; quiet < 2; time.Sleep(time.Second) {
		quiet++
		if !w.idle() {
			quiet = 0
		}
		if time.Now().After(deadline) {
			for _, j := range w.live() {
				t.Errorf("stuck: %s %s %s %s", j.ID, j.State, j.Reason, j.Detail)
			}
			table, _, _ := w.table.Load(t.Context())
			t.Fatalf("not idle after %v; claims %v", limit, table.Claims)
		}
	}
}

func TestReplicasShareTheSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(40)
		all, stop := w.replicas(t, nil, nil, nil)
		defer stop()
		for i := range 200 {
			j := chain(1+i%40, step("test_run", fmt.Sprint(i)))
			enqueue(t, all[i%3], j)
		}
		w.untilIdle(t, time.Hour)
		if w.srv.seen().peak > 10 || w.srv.seen().refused > 0 {
			t.Errorf("peak of %d sessions, %d refused; want at most 10 and none", w.srv.seen().peak, w.srv.seen().refused)
		}
		if len(w.srv.seen().ran) != 200 {
			t.Errorf("%d jobs ran, want 200", len(w.srv.seen().ran))
		}
		for name, n := range w.srv.seen().ran {
			if n != 1 {
				t.Errorf("%s ran %d times", name, n)
			}
		}
	})
}

func TestDeadReplicaIsTakenOverWithin15Seconds(t *testing.T) {
	for at := 5; at < 40; at += 4 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(2)
			crash := newCrasher(at, true)
			all, stop := w.replicas(t, crash, nil)
			defer stop()
			for i := range 20 {
				enqueue(t, all[1], chain(1+i%2, step("test_run", fmt.Sprint(i))))
			}
			select {
			case <-crash.died:
			case <-time.After(10 * time.Minute):
				return // it had less to do than that
			}
			died := time.Now()
			for w.claimedBy("replica-0") && time.Since(died) < time.Minute {
				time.Sleep(100 * time.Millisecond)
			}
			if took := time.Since(died); took > 15*time.Second {
				t.Errorf("dead at effect %d (%s): taken over after %v", at, crash.fatal(), took)
			}
			w.untilIdle(t, time.Hour)
		})
	}
}

func (w *world) claimedBy(owner string) bool {
	table, _, _ := w.table.Load(context.Background())
	for _, cl := range table.Claims {
		if cl.Owner == owner {
			return true
		}
	}
	return false
}

// TestPausedReplicaCannotRunAnotherStep lets a replica stand still for longer
// than its claims live, at each of its effects in turn, and wake in the middle of
// what it was about to do.
func TestPausedReplicaCannotRunAnotherStep(t *testing.T) {
	stride := 11
	if *full {
		stride = 1
	}
	points := 0
	for at := 1; at < 160; at += stride {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(3)
			crash := newCrasher(at, false)
			crash.stall = 25 * time.Second
			all, stop := w.replicas(t, crash, nil)
			defer stop()
			enqueue(t, all[1], matrixJobs()...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go approveAll(ctx, all[1])
			w.untilIdle(t, 3*time.Hour)
			cancel()
			stop()
			w.check(t)
			if crash.fatal() != "" {
				points++
			}
			if t.Failed() {
				t.Logf("stalled at effect %d (%s)", at, crash.fatal())
			}
		})
	}
	t.Logf("a replica stalled at %d points", points)
}

// TestInvariantsUnderChaos draws worlds at random: replicas that die and stall,
// a server that fails and loses answers, sensors that come and go. Whatever
// happens, no job is lost, none twice, none stuck, order is kept, slots are not
// exceeded.
func TestInvariantsUnderChaos(t *testing.T) {
	shortChecks(t, 10)
	rapid.Check(t, func(r *rapid.T) {
		sensors := rapid.IntRange(1, 6).Draw(r, "sensors")
		jobs := rapid.IntRange(1, 30).Draw(r, "jobs")
		limit := rapid.IntRange(1, 4).Draw(r, "limit")
		die := rapid.IntRange(1, 300).Draw(r, "dies at")
		stall := rapid.IntRange(1, 300).Draw(r, "stalls at")
		after := rapid.Bool().Draw(r, "after")
		fails := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "", "500", "lost"}), 7, 7).Draw(r, "faults")
		sleeper := rapid.IntRange(0, sensors).Draw(r, "sleeps for an hour")
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(sensors)
			w.srv.limit = limit
			w.srv.fail = faults(fails)
			dying, stalling := newCrasher(die, after), newCrasher(stall, false)
			stalling.stall = 20 * time.Second
			all, stop := w.replicas(t, dying, stalling, nil)
			defer stop()
			if sleeper > 0 {
				w.srv.set(sleeper, func(s *fakeSensor) { s.online = false })
				wake := time.AfterFunc(time.Hour, func() { w.srv.set(sleeper, func(s *fakeSensor) { s.online = true }) })
				defer wake.Stop()
			}
			for i := range jobs {
				enqueue(t, all[2], chain(1+i%sensors, step("test_run", fmt.Sprint(i))))
				time.Sleep(time.Second)
			}
			w.untilIdle(t, 24*time.Hour)
			w.srv.failNot() // a process that ends tries once to close the sessions that it kept
			stop()
			w.checkChaos(t, jobs, sensors)
			if t.Failed() {
				r.Log("world failed")
			}
		})
	})
}

// faults fails requests in a fixed pattern: "500" before they take effect, "lost"
// after a command has.
func faults(pattern []string) func(request string, sensor int) error {
	n := 0
	return func(request string, _ int) error {
		n++
		switch pattern[n%len(pattern)] {
		case "500":
			if request == "command" || request == "open" || request == "sessions" || request == "close" {
				return errServer
			}
		case "lost":
			if request == "lost" {
				return errLostAnswer
			}
		}
		return nil
	}
}

func (w *world) checkChaos(t *testing.T, jobs, sensors int) {
	t.Helper()
	done, err := job.AllFinished(t.Context(), w.store, time.Time{})
	if err != nil || len(done) != jobs {
		t.Errorf("%d of %d jobs ended, %v", len(done), jobs, err)
	}
	for _, j := range done {
		name := key(looseid.Sensor(j.Endpoint.ID), "create process", fmt.Sprint(j.Steps[0].With["name"]))
		n := w.srv.seen().ran[name]
		if n > 1 || j.State == Succeeded && n != 1 {
			t.Errorf("%s ran %d times, its job %s", name, n, j.State)
		}
		if states := w.published(j.ID); len(states) == 0 || states[0] != j.State {
			t.Errorf("job %s ended as %s, published %v", j.ID, j.State, states)
		}
	}
	if w.srv.seen().peak > w.srv.limit {
		t.Errorf("peak of %d sessions, the limit is %d", w.srv.seen().peak, w.srv.limit)
	}
	for sensor, order := range w.srv.seen().order {
		last := -1
		for _, name := range order {
			var i int
			if fmt.Sscan(name, &i); i < last {
				t.Errorf("sensor %d ran %v: not in order", sensor, order)
			}
			last = i
		}
	}
	for id, session := range w.srv.allSessions() {
		if live(session) {
			t.Errorf("session %d was left open", id)
		}
	}
}

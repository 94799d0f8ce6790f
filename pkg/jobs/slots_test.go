package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// busySensors gives n sensors a queue of jobs of one priority and waits until each has
// ended one. Commands take five seconds.
func busySensors(t *testing.T, srv *fakeServer, s *Scheduler, n, each int, p Priority) {
	t.Helper()
	srv.took = 5 * time.Second
	for i := range n * each {
		j := chain(1+i%n, step("test_run", fmt.Sprint(i)))
		j.Priority = p
		enqueue(t, s, j)
	}
	for len(srv.seen().order) < n {
		time.Sleep(time.Second)
	}
	time.Sleep(100 * time.Millisecond) // into the next step
}

// TestACriticalJobGetsTheNextSlotOfALowOne: ten sensors have queues of low jobs of five
// seconds on ten slots. The steps that run come to their end, and one sensor gives way.
func TestACriticalJobGetsTheNextSlotOfALowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(12, time.Hour) // so that no sensor has had its turn
		for sensor := 1; sensor <= 12; sensor++ {
			srv.set(sensor, func(sn *fakeSensor) { sn.phase = time.Now().Add(time.Second) })
		}
		srv.set(11, func(sn *fakeSensor) { sn.phase, sn.interval = time.Now(), time.Second })
		s, stop := start(t, Config{Server: srv})
		defer func() { stop(); time.Sleep(time.Minute) }()
		busySensors(t, srv, s, 10, 40, Low)
		before := srv.seen().opened
		j := chain(11, step("test_run", "critical"))
		j.Priority = Critical
		enqueue(t, s, j)
		synctest.Wait()
		x := wantReason(t, s, j.ID, ReasonSlot)
		if !strings.Contains(x.Detail, "of lower priority whose step ends") {
			t.Errorf("why: %q", x.Detail)
		}
		got := wantEnd(t, s, j.ID, Succeeded)
		if wait := got.Done[0].Started.Sub(got.Created); wait > 6*time.Second {
			t.Errorf("the critical job began after %v, want at most 6s", wait)
		}
		time.Sleep(time.Minute)
		// One sensor gave way. It comes back at its next check-in.
		if n := srv.seen().opened - before; n != 1 {
			t.Errorf("%d sessions were opened for one critical job, want 1", n)
		}
	})
}

// TestAJobGivesWayBetweenItsSteps: a low job of many steps is interrupted after a step,
// says so, and goes on with the next one. No step runs twice.
func TestAJobGivesWayBetweenItsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(1)
		srv.add(2, time.Second)
		srv.took = 5 * time.Second
		s, stop := start(t, Config{Server: srv, Sessions: 1})
		defer stop()
		low := chain(1, step("test_run", "a"), step("test_run", "b"), step("test_run", "c"))
		low.Priority = Low
		enqueue(t, s, low)
		time.Sleep(3 * time.Second)
		high := chain(2, step("test_run", "high"))
		high.Priority = High
		enqueue(t, s, high)
		got := wantEnd(t, s, high.ID, Succeeded)
		if wait := got.Started.Sub(got.Created); wait > 6*time.Second {
			t.Errorf("the job of high priority began after %v, want at most 6s", wait)
		}
		got = wantEnd(t, s, low.ID, Succeeded)
		gave := slices.IndexFunc(got.History, func(tr Transition) bool { return tr.Reason == ReasonGaveWay })
		if gave < 0 || !strings.Contains(got.History[gave].Detail, high.ID) {
			t.Errorf("the history does not tell that it gave way to job %s: %+v", high.ID, got.History)
		}
		if order := srv.seen().order[1]; !slices.Equal(order, []string{"a", "b", "c"}) {
			t.Errorf("the steps ran as %v", order)
		}
	})
}

// TestJobsOfOnePriorityDoNotInterruptEachOther, also not where one is a little older.
func TestJobsOfOnePriorityDoNotInterruptEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(1)
		srv.add(2, time.Second)
		srv.took = 50 * time.Second // the second step ends while the older job's level is higher
		s, stop := start(t, Config{Server: srv, Sessions: 1, Ageing: 2 * time.Minute})
		defer stop()
		older := chain(2, step("test_run", "older"))
		older.Created = time.Now().Add(-50 * time.Second)
		j := chain(1, step("test_run", "a"), step("test_run", "b"), step("test_run", "c"), step("test_run", "d"))
		enqueue(t, s, j)
		time.Sleep(10 * time.Second)
		enqueue(t, s, older)
		got := wantEnd(t, s, j.ID, Succeeded)
		if got.Attempts != 1 {
			t.Errorf("the job was begun %d times", got.Attempts)
		}
		wantEnd(t, s, older.ID, Succeeded)
	})
}

// TestAnIdleSessionIsKeptWhileSlotsAreFree: also for hours, though the server ends
// sessions that are not used.
func TestAnIdleSessionIsKeptWhileSlotsAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, 30*time.Second)
		srv.took = 100 * time.Millisecond
		s, stop := start(t, Config{Server: srv})
		for i, gap := range []time.Duration{8 * time.Second, 8 * time.Second, 8 * time.Second, 3 * time.Hour, 0} {
			j := chain(1, step("test_run", fmt.Sprint(i)))
			enqueue(t, s, j)
			got := wantEnd(t, s, j.ID, Succeeded)
			if took := got.Ended.Sub(got.Created); i > 0 && took > time.Second {
				t.Errorf("job %d took %v, want at most a second", i, took)
			}
			time.Sleep(gap)
		}
		if n := srv.seen().opened; n != 1 {
			t.Errorf("%d sessions were opened, want 1", n)
		}
		stop()
		for id, session := range srv.allSessions() {
			if live(session) {
				t.Errorf("session %d was left open at the end", id)
			}
		}
	})
}

// TestIdleSessionsAreGivenUpForThoseThatWait: as many as are wanted, those first that
// have been idle for longest, and at once.
func TestIdleSessionsAreGivenUpForThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(3)
		srv.add(5, time.Second)
		s, stop := start(t, Config{Server: srv, Sessions: 3})
		defer stop()
		for sensor := 1; sensor <= 3; sensor++ {
			j := chain(sensor, step("test_read", "x"))
			enqueue(t, s, j)
			wantEnd(t, s, j.ID, Succeeded)
			time.Sleep(time.Minute)
		}
		j := chain(4, step("test_read", "x"))
		j.Priority = Low // an idle session has no priority
		enqueue(t, s, j)
		if got := wantEnd(t, s, j.ID, Succeeded); got.Started.Sub(got.Created) > 2*time.Second {
			t.Errorf("began after %v", got.Started.Sub(got.Created))
		}
		var open []string
		for _, session := range srv.allSessions() {
			if live(session) {
				open = append(open, session.SensorID)
			}
		}
		if slices.Sort(open); !slices.Equal(open, []string{"2", "3", "4"}) {
			t.Errorf("sessions are open on sensors %v, want 2, 3, 4", open)
		}
	})
}

// TestIdleSessionsMakeRoomForTheReserve: other clients have taken more than what was
// left to them.
func TestIdleSessionsMakeRoomForTheReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(4)
		srv.add(6, time.Second)
		s, stop := start(t, Config{Server: srv, Sessions: 3}) // of four, one is the reserve
		defer stop()
		for sensor := 1; sensor <= 3; sensor++ {
			j := chain(sensor, step("test_read", "x"))
			enqueue(t, s, j)
			wantEnd(t, s, j.ID, Succeeded)
		}
		for sensor := 5; sensor <= 6; sensor++ { // each would be refused while we kept three
			srv.openForeign(sensor)
			time.Sleep(time.Minute)
		}
		if n := s.Stats().Slots; n != 1 {
			t.Errorf("%d idle sessions are kept beside two of other clients, want 1", n)
		}
	})
}

// TestAServerWithFewerSlotsThanConfigured refuses sessions while we keep idle ones.
func TestAServerWithFewerSlotsThanConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(2)
		srv.add(6, time.Second)
		s, stop := start(t, Config{Server: srv, Sessions: 10})
		defer stop()
		for sensor := 1; sensor <= 6; sensor++ {
			j := chain(sensor, step("test_read", "x"))
			enqueue(t, s, j)
			if got := wantEnd(t, s, j.ID, Succeeded); got.Started.Sub(got.Created) > 10*time.Second {
				t.Errorf("sensor %d: began after %v", sensor, got.Started.Sub(got.Created))
			}
		}
		time.Sleep(time.Minute)
		if n := s.Stats().Slots; n != 2 {
			t.Errorf("%d sessions are kept, want as many as the server takes", n)
		}
	})
}

// TestIdleSessionsOfAnotherReplicaAreGivenUp: it keeps all slots, and the job is
// recorded by this one.
func TestIdleSessionsOfAnotherReplicaAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(12)
		w.srv.add(12, time.Second)
		one, stopOne := start(t, w.config("one", nil))
		defer stopOne()
		for sensor := 1; sensor <= 10; sensor++ {
			j := chain(sensor, step("test_read", "x"))
			enqueue(t, one, j)
			wantEnd(t, one, j.ID, Succeeded)
		}
		two, stopTwo := start(t, w.config("two", nil))
		defer stopTwo()
		time.Sleep(time.Minute)
		j := chain(11, step("test_read", "x"))
		enqueue(t, two, j)
		if got := wantEnd(t, two, j.ID, Succeeded); got.Started.Sub(got.Created) > 5*time.Second {
			t.Errorf("began after %v", got.Started.Sub(got.Created))
		}
		if n := w.srv.seen().opened; n != 11 {
			t.Errorf("%d sessions were opened, want 11: one was given up", n)
		}
	})
}

// TestAPendingSessionGivesWay: ten sensors read online and do not come in.
func TestAPendingSessionGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(1)
		srv.add(2, 30*time.Second)
		srv.set(1, func(sn *fakeSensor) { sn.silent, sn.interval = true, time.Second })
		srv.set(2, func(sn *fakeSensor) { sn.phase, sn.interval = time.Now(), time.Second })
		s, stop := start(t, Config{Server: srv, Sessions: 1})
		defer stop()
		low, high := chain(1, step("test_read", "low")), chain(2, step("test_read", "high"))
		high.Priority = High
		enqueue(t, s, low)
		time.Sleep(5 * time.Second)
		enqueue(t, s, high)
		if got := wantEnd(t, s, high.ID, Succeeded); got.Started.Sub(got.Created) > 3*time.Second {
			t.Errorf("began after %v", got.Started.Sub(got.Created))
		}
	})
}

// TestStreamsUseASessionASensor in every order in which jobs may come.
func TestStreamsUseASessionASensor(t *testing.T) {
	orders := map[string]func(i int) int{
		"round robin": func(i int) int { return i % 8 },
		"in blocks":   func(i int) int { return i / 25 },
		"backwards":   func(i int) int { return 7 - i%8 },
		"pairs":       func(i int) int { return i / 2 % 8 },
	}
	for seed := range uint64(5) {
		orders[fmt.Sprint("random ", seed)] = func(i int) int {
			return rand.New(rand.NewPCG(seed, uint64(i))).IntN(8)
		}
	}
	for name, sensor := range orders {
		for _, gap := range []time.Duration{0, 250 * time.Millisecond, 4 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				srv := newFakeServer(10)
				srv.add(8, 30*time.Second)
				s, stop := start(t, Config{Server: srv})
				defer stop()
				var ids []string
				for i := range 200 {
					j := chain(1+sensor(i), step("test_run", fmt.Sprint(i)))
					enqueue(t, s, j)
					ids = append(ids, j.ID)
					time.Sleep(gap)
				}
				for _, id := range ids {
					wantEnd(t, s, id, Succeeded)
				}
				if n := srv.seen().opened; n != 8 {
					t.Errorf("%s, one each %v: %d sessions, want 8", name, gap, n)
				}
			})
		}
	}
}

// TestNoSensorStarves: twelve sensors with endless queues of equal jobs share ten slots.
// None waits for longer than the turns of those before it and its check-in.
func TestNoSensorStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sensors, interval = 12, 30 * time.Second
		srv := newFakeServer(10)
		srv.add(sensors, interval)
		s, stop := start(t, Config{Server: srv})
		last, longest := map[int]int{}, map[int]time.Duration{}
		seen := map[int]time.Time{}
		for i := range sensors * 1200 {
			enqueue(t, s, chain(1+i%sensors, step("test_read", fmt.Sprint(i))))
		}
		for range 1200 {
			time.Sleep(time.Second)
			order := srv.seen().order
			for sensor := 1; sensor <= sensors; sensor++ {
				if n := len(order[sensor]); n != last[sensor] || seen[sensor].IsZero() {
					last[sensor], seen[sensor] = n, time.Now()
				}
				longest[sensor] = max(longest[sensor], time.Since(seen[sensor]))
			}
		}
		for sensor, wait := range longest {
			if wait > 3*interval {
				t.Errorf("sensor %d waited %v, want at most %v", sensor, wait, 3*interval)
			}
		}
		stop()
		time.Sleep(time.Minute) // what the sensors still do
	})
}

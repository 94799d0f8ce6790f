package jobs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// stream enqueues n jobs of one read each, round robin over the sensors, one
// every gap.
func stream(t *testing.T, s *Scheduler, n, sensors int, gap time.Duration) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range n {
		j := chain(1+i%sensors, step("test_run", fmt.Sprint(i)))
		enqueue(t, s, j)
		ids[i] = j.ID
		time.Sleep(gap)
	}
	return ids
}

func TestStreamOf200JobsOver8Sensors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(8, 30*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		for _, id := range stream(t, s, 200, 8, 250*time.Millisecond) {
			wantEnd(t, s, id, Succeeded)
		}
		if len(srv.seen().ran) != 200 {
			t.Errorf("%d different commands ran, want 200", len(srv.seen().ran))
		}
		for name, n := range srv.seen().ran {
			if n != 1 {
				t.Errorf("%s ran %d times", name, n)
			}
		}
		if srv.seen().opened > 8 {
			t.Errorf("opened %d sessions, want at most 8", srv.seen().opened)
		}
		for sensor, order := range srv.seen().order {
			for i := range order {
				if want := fmt.Sprint(sensor - 1 + 8*i); order[i] != want {
					t.Fatalf("sensor %d ran %v: not in order", sensor, order)
				}
			}
		}
		t.Logf("200 jobs: %d sessions, %d refused, requests %v", srv.seen().opened, srv.seen().refused, srv.seen().requests)
	})
}

func TestForeignSessionsArePressureNotAHotLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(33, 30*time.Second)
		for i := 31; i <= 33; i++ {
			srv.openForeign(i)
		}
		s, stop := start(t, Config{Server: srv})
		defer stop()
		for _, id := range stream(t, s, 30, 30, 0) {
			wantEnd(t, s, id, Succeeded)
		}
		if srv.seen().refused >= 30 {
			t.Errorf("%d requests were refused, want fewer than 30", srv.seen().refused)
		}
		if srv.seen().peak > 10 {
			t.Errorf("peak of %d sessions, the limit is 10", srv.seen().peak)
		}
		t.Logf("30 jobs, 3 of 10 slots foreign: %d refused", srv.seen().refused)
	})
}

// makespan runs 1,000 one-second jobs over 200 sensors with 10 slots, of which
// offline sensors sleep, and returns how long the others took and the least that
// any schedule takes which opens one session per sensor.
func makespan(t *testing.T, offline int) (took, bound time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(200, 30*time.Second)
		for i := range offline {
			srv.sensors[(i+1)*200/offline].online = false
		}
		begun := time.Now()
		bound = lowerBound(srv, begun, 5*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		var ids []string
		for i := range 1000 {
			sensor := 1 + i%200
			j := chain(sensor, step("test_run", fmt.Sprint(i)))
			enqueue(t, s, j)
			if srv.sensors[sensor].online {
				ids = append(ids, j.ID)
			}
		}
		for _, id := range ids {
			wantEnd(t, s, id, Succeeded)
		}
		took = time.Since(begun)
		if len(srv.seen().ran) != len(ids) {
			t.Errorf("%d commands ran, want %d", len(srv.seen().ran), len(ids))
		}
		t.Logf("%d sensors asleep: %v, lower bound %v; %d sessions, %d requests", offline, took, bound, srv.seen().opened, srv.seen().requests["all"])
	})
	return took, bound
}

// lowerBound is the least makespan of sensors that each need one session with so
// much work. Work ÷ slots is one bound. Check-ins give another: a session begins
// at a check-in and keeps its slot for the work, so of the sensors whose check-ins
// fall within one work's length no more than there are slots can begin in one
// interval; the last of them begins in the interval that their number asks for.
func lowerBound(srv *fakeServer, begun time.Time, work time.Duration) time.Duration {
	var phases []time.Duration
	var interval time.Duration
	for _, sn := range srv.sensors {
		if sn.online {
			phases = append(phases, sn.phase.Sub(begun))
			interval = sn.interval
		}
	}
	bound := time.Duration(len(phases)) * work / time.Duration(srv.limit)
	for _, from := range phases {
		if from+work > interval {
			continue // such a stretch has check-ins at both ends of the interval
		}
		n := 0
		for _, p := range phases {
			if p >= from && p < from+work {
				n++
			}
		}
		rounds := (n + srv.limit - 1) / srv.limit
		bound = max(bound, from+time.Duration(rounds-1)*interval+work)
	}
	return bound
}

func TestMakespanOf1000JobsOver200Sensors(t *testing.T) {
	for _, offline := range []int{0, 60} {
		if took, bound := makespan(t, offline); took > bound*105/100 {
			t.Errorf("with %d sensors asleep: %v, more than 5%% above the lower bound %v", offline, took, bound)
		}
	}
}

// TestFairnessAStreamDelaysOthersByOneTurn keeps ten sensors busy for ever on ten
// slots; an eleventh must begin after one turn and its own check-in.
func TestFairnessAStreamDelaysOthersByOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(11, 30*time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		for i := range 3000 { // far more than ten minutes of work for each
			enqueue(t, s, chain(1+i%10, step("test_read", fmt.Sprint(i))))
		}
		time.Sleep(5 * time.Minute)
		j := chain(11, step("test_read", "first"))
		asked := time.Now()
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		const turn, job, checkin = 30 * time.Second, time.Second, 30 * time.Second
		if took := time.Since(asked); took > turn+job+checkin+job {
			t.Errorf("the eleventh sensor's first job took %v, want at most a turn and a check-in", took)
		} else {
			t.Logf("the eleventh sensor's first job took %v", took)
		}
	})
}

// TestFairnessAFloodOfOneRuleDoesNotStarveAnother gives one rule 500 sensors' worth
// of jobs and then another rule one.
func TestFairnessAFloodOfOneRuleDoesNotStarveAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(2)
		srv.add(501, 30*time.Second)
		s, stop := start(t, Config{Server: srv, Sessions: 2})
		defer stop()
		for i := range 500 {
			j := chain(1+i, step("test_read", "x"))
			j.Rule = "flood"
			enqueue(t, s, j)
		}
		time.Sleep(time.Minute)
		j := chain(501, step("test_read", "x"))
		j.Rule = "other"
		asked := time.Now()
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		if took := time.Since(asked); took > time.Minute {
			t.Errorf("the other rule's job took %v", took)
		}
	})
}

func TestPrioritiesAndAgeing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(1)
		srv.add(400, time.Second)
		s, stop := start(t, Config{Server: srv, Sessions: 1, Ageing: time.Minute})
		defer stop()
		low := chain(400, step("test_read", "low"))
		low.Priority = Low
		enqueue(t, s, low)
		begun := time.Now()
		var critical *Job
		for i := range 300 { // an endless stream of high ones
			j := chain(1+i, step("test_read", fmt.Sprint(i)))
			j.Priority = High
			enqueue(t, s, j)
			if i == 60 {
				critical = chain(399, step("test_read", "critical"))
				critical.Priority = Critical
				enqueue(t, s, critical)
			}
			time.Sleep(time.Second)
		}
		got := wantEnd(t, s, critical.ID, Succeeded)
		if wait := got.Started.Sub(got.Created); wait > 10*time.Second {
			t.Errorf("the critical job waited %v behind high ones", wait)
		}
		got = wantEnd(t, s, low.ID, Succeeded)
		if wait := got.Started.Sub(begun); wait > 10*time.Minute {
			t.Errorf("the low job waited %v: ageing did not lift it", wait)
		}
	})
}

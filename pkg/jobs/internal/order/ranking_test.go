package order

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// chooseSlowly is choose by its definition: every sensor is looked at.
func chooseSlowly(q *Queue, now time.Time, slot bool, elsewhere func(edr.Endpoint) bool) (best Candidate) {
	for _, sn := range q.sensors {
		var c Candidate
		if sn.Busy {
			continue
		}
		if sn.Stale {
			c = q.candidate(sn, nil, now)
		} else if e := q.Head(sn, now); e == nil || (e.Session && !slot) || elsewhere(sn.Endpoint) {
			continue
		} else {
			c = q.candidate(sn, e, now)
		}
		if best.Sensor == nil || c.before(best, now) {
			best = c
		}
	}
	return best
}

// TestRankingGivesTheDefinedOrder plays random histories and compares each choice
// with one that looks at every sensor.
func TestRankingGivesTheDefinedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &rankingWorld{
			q:   New(10 * time.Minute),
			now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
		}
		moves := map[string]func(*rapid.T){
			"job": w.addJob, "end": w.endJob, "read": w.readSensor, "wait": w.wait, "rest": w.rest, "visit": w.visit,
			"": w.check,
		}
		t.Repeat(moves)
	})
}

type rankingWorld struct {
	q    *Queue
	now  time.Time
	made int
}

func (w *rankingWorld) id(t *rapid.T) edr.Endpoint {
	return at(rapid.IntRange(1, 12).Draw(t, "sensor"))
}

func (w *rankingWorld) addJob(t *rapid.T) {
	w.made++
	uses := rapid.SampledFrom([]string{"test_read", "test_isolate"}).Draw(t, "uses")
	j := &job.Job{
		ID: fmt.Sprintf("%06d", w.made), Revision: uint64(w.made), Endpoint: w.id(t), Submitter: "rule",
		Rule:     rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "rule"),
		Priority: rapid.SampledFrom([]job.Priority{job.Low, job.Normal, job.High, job.Critical}).Draw(t, "priority"),
		State:    rapid.SampledFrom([]job.State{job.Queued, job.Queued, job.Queued, job.Parked, job.Held, job.Running}).Draw(t, "state"),
		Reason:   rapid.SampledFrom([]job.Reason{"", job.ReasonOffline}).Draw(t, "reason"),
		Group:    rapid.SampledFrom([]string{"", "", "", "g"}).Draw(t, "group"),
		Created:  w.now.Add(-w.duration(t, "age", 40*time.Minute) + time.Minute), Updated: w.now,
		Steps: []actions.Step{{ID: "s", Uses: uses}},
	}
	if rapid.Bool().Draw(t, "has a deadline") {
		j.Deadline = w.now.Add(w.duration(t, "deadline", 40*time.Minute))
	}
	if j.State == job.Parked {
		j.WakeAt = w.now.Add(w.duration(t, "wake", 20*time.Minute))
	}
	w.q.Put(w.q.NewEntry(j), w.now)
}

// duration is one of few values, so that ties and exact moments come up.
func (w *rankingWorld) duration(t *rapid.T, what string, most time.Duration) time.Duration {
	return time.Duration(rapid.IntRange(0, 20).Draw(t, what)) * most / 20
}

func (w *rankingWorld) endJob(t *rapid.T) {
	if w.made > 0 {
		w.q.Remove(fmt.Sprintf("%06d", rapid.IntRange(1, w.made).Draw(t, "job")), w.now)
	}
}

func (w *rankingWorld) readSensor(t *rapid.T) {
	sn := w.q.Sensor(w.id(t))
	interval := rapid.SampledFrom([]time.Duration{0, 30 * time.Second, time.Minute, 45 * time.Minute, 2 * time.Hour}).Draw(t, "interval")
	next := w.now.Add(rapid.SampledFrom([]time.Duration{-2 * time.Hour, -90 * time.Second, -30 * time.Second, 0, 5 * time.Second, 20 * time.Second, 2 * time.Hour}).Draw(t, "next"))
	sn.Info, sn.Read = edr.Sensor{ID: sn.Endpoint.ID, LiveResponse: true, Online: true, NextCheckin: next, LastCheckin: next.Add(-interval)}, w.now
	if interval == 0 {
		sn.Info.NextCheckin = time.Time{}
	}
	sn.Offline = time.Time{}
	if rapid.IntRange(0, 4).Draw(t, "state") == 0 {
		sn.Offline = w.now
	}
	w.q.Review(sn, w.now)
}

func (w *rankingWorld) wait(t *rapid.T) {
	w.now = w.now.Add(rapid.SampledFrom([]time.Duration{
		1, time.Second, 5 * time.Second, 10 * time.Second, 25 * time.Second, 30 * time.Second, 5 * time.Minute, time.Hour,
	}).Draw(t, "time"))
}

func (w *rankingWorld) rest(t *rapid.T) {
	sn := w.q.Sensor(w.id(t))
	switch rapid.SampledFrom([]string{"rest", "pause", "stale"}).Draw(t, "what") {
	case "rest":
		sn.Rest = w.now.Add(w.duration(t, "rest", 5*time.Minute))
	case "pause":
		sn.Pause = w.now.Add(w.duration(t, "pause", time.Minute))
	case "stale":
		sn.Stale = rapid.IntRange(0, 3).Draw(t, "stale") == 0
	}
	w.q.SetAlarm(sn, sn.Rest)
	w.q.Review(sn, w.now)
}

// visit begins or ends one, as the dispatcher does.
func (w *rankingWorld) visit(t *rapid.T) {
	sn := w.q.Sensor(w.id(t))
	if sn.Busy = !sn.Busy; sn.Busy && len(sn.Jobs) > 0 {
		w.q.Charge(sn.Jobs[0])
	}
	w.q.Review(sn, w.now)
}

func (w *rankingWorld) check(t *rapid.T) {
	w.q.Ring(w.now)
	w.recount(t)
	other := rapid.IntRange(0, 12).Draw(t, "elsewhere")
	elsewhere := func(e edr.Endpoint) bool { return e == at(other) }
	for _, slot := range []bool{true, false} {
		got, want := w.q.Choose(w.now, slot, elsewhere), chooseSlowly(w.q, w.now, slot, elsewhere)
		if got.Job != want.Job || (got.Sensor == nil) != (want.Sensor == nil) || (got.Job != nil && got.Sensor != want.Sensor) {
			t.Fatalf("slot %t: chose %s, want %s", slot, w.describe(got), w.describe(want))
		}
	}
}

// recount compares what is counted along the way with what there is.
func (w *rankingWorld) recount(t *rapid.T) {
	want, plain := newCensus(), map[edr.Endpoint]int{}
	for _, e := range w.q.jobs {
		want.states[e.State]++
		if e.Reason != "" {
			want.reasons[e.Reason]++
		}
		if !e.Session {
			plain[e.Sensor.Endpoint]++
		}
	}
	for _, sn := range w.q.sensors {
		if len(sn.Jobs) > 0 {
			want.sensors++
		}
		if sn.plain != plain[sn.Endpoint] {
			t.Fatalf("sensor %s has %d jobs without a session, %d are counted", sn.Endpoint, plain[sn.Endpoint], sn.plain)
		}
	}
	if got := w.q.census; !reflect.DeepEqual(got, want) {
		t.Fatalf("counted %+v, there are %+v", got, want)
	}
}

// TestSleepersAreNotWalked: a job that joins the line of a sensor that sleeps does
// not cost a look at the whole line. Entries that are looked at would panic here.
func TestSleepersAreNotWalked(t *testing.T) {
	now := time.Now()
	q := fill(100, 1, false, now)
	sn := q.sensors[at(1)]
	clear(sn.Jobs)
	if e := q.Head(sn, now); e != nil {
		t.Errorf("job %s is the head of a line that sleeps", e.ID)
	}
}

func (w *rankingWorld) describe(c Candidate) string {
	if c.Sensor == nil {
		return "nothing"
	}
	if c.Job == nil {
		return fmt.Sprintf("the stale claim on sensor %s", c.Sensor.Endpoint)
	}
	return fmt.Sprintf("job %s of sensor %s (risk %t, level %d, start %g, check-in %v)",
		c.Job.ID, c.Sensor.Endpoint, c.Job.risk(w.now), c.level, c.start, c.Sensor.Checkin(w.now))
}

package order

import (
	"time"

	"edrpipe/pkg/edr"
)

// atRisk is how close to its deadline a job is put before all others.
const atRisk = 15 * time.Minute

// share is what a flow has been given so far, in the manner of start-time fair
// queueing: each job advances its flow by one, and a flow that was idle starts
// at the present, so nobody saves up and nobody is punished for having waited.
type share struct {
	start float64 // of the flow's next job
	jobs  int     // live
}

func (q *Queue) join(f Flow) *share {
	sh := q.shares[f]
	if sh == nil {
		sh = &share{start: q.virtual}
		q.shares[f] = sh
	}
	sh.jobs++
	return sh
}

func (q *Queue) leave(f Flow) {
	if sh := q.shares[f]; sh != nil {
		if sh.jobs--; sh.jobs == 0 && sh.start <= q.virtual {
			delete(q.shares, f)
		}
	}
}

// charge takes a share from the job's flow.
func (q *Queue) Charge(e *Entry) {
	q.virtual = max(q.virtual, e.share.start)
	e.share.start = q.virtual + 1
}

// Candidate is a sensor whose head of line may run, with what decides.
type Candidate struct {
	Sensor *Sensor
	Job    *Entry // nil: only a dead owner's claim is to be cleared
	level  int
	start  float64
}

// candidate is the sensor with its job.
func (q *Queue) candidate(sn *Sensor, e *Entry, now time.Time) Candidate {
	if e == nil {
		return Candidate{Sensor: sn, level: stale}
	}
	return Candidate{sn, e, e.level(now, q.ageing), max(e.share.start, q.virtual)}
}

// choose returns the sensor to visit next, or nil. Without a free slot only
// visits that need none are considered. elsewhere tells of sensors that another
// replica works on. It costs what there are of flows, not of sensors or jobs.
func (q *Queue) Choose(now time.Time, slot bool, elsewhere func(edr.Endpoint) bool) (best Candidate) {
	q.Settle(now)
	if len(q.ranking.stale) > 0 {
		return q.candidate(q.ranking.stale[0], nil, now)
	}
	for _, session := range []bool{false, true} {
		if session && !slot {
			continue
		}
		if sn := q.ranking.first(session, q.virtual, elsewhere); sn != nil {
			c := q.candidate(sn, sn.place.job, now)
			if best.Sensor == nil || c.before(best, now) {
				best = c
			}
		}
	}
	return best
}

// stale is the level of a dead owner's claim, whose slot is unused.
const stale = 1 << 30

// before reports whether c goes before d: a deadline at risk first, then priority
// with ageing, then the flow that had the smaller share, then the sensor whose
// check-in comes first (a session opened now holds its slot until then), then
// age. Ageing keeps a sensor with unlucky check-ins from waiting for ever.
func (c Candidate) before(d Candidate, now time.Time) bool {
	if c.level == stale || d.level == stale {
		return c.level > d.level
	}
	if r, s := c.Job.risk(now), d.Job.risk(now); r != s {
		return r
	} else if r && !c.Job.Deadline.Equal(d.Job.Deadline) {
		return c.Job.Deadline.Before(d.Job.Deadline)
	}
	if c.level != d.level {
		return c.level > d.level
	}
	if c.start != d.start {
		return c.start < d.start
	}
	if x, y := c.Sensor.Checkin(now), d.Sensor.Checkin(now); x != y {
		return x < y
	}
	return byRank(c.Job, d.Job) < 0
}

// risk reports whether the job's deadline is close. Only a job that was given
// more time than that can come to be at risk.
func (e *Entry) risk(now time.Time) bool {
	return !e.Deadline.IsZero() && e.Deadline.Sub(now) < atRisk
}

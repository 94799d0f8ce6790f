package order

import (
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Waiting returns the first n jobs that wait for a session, one a sensor, in the order
// in which Choose gives slots.
func (q *Queue) Waiting(now time.Time, n int, elsewhere func(edr.Endpoint) bool) (first []*Entry) {
	q.Settle(now)
	listed := map[edr.Endpoint]bool{}
	for len(first) < n {
		sn := q.ranking.first(true, q.virtual, func(e edr.Endpoint) bool { return listed[e] || elsewhere(e) })
		if sn == nil {
			break
		}
		listed[sn.Endpoint] = true
		first = append(first, sn.place.job)
	}
	return first
}

// Precedes reports whether a job has a higher effective priority than another one: its
// priority with ageing, and before all others where its deadline is at risk. Of two jobs
// whose deadlines are at risk neither has.
func (q *Queue) Precedes(e, other *Entry, now time.Time) bool {
	if r, s := e.risk(now), other.risk(now); r || s {
		return r && !s
	}
	return e.level(now, q.ageing) > other.level(now, q.ageing)
}

// Interrupts reports whether a waiting job has so much higher an effective priority than
// one under way that this one gives its slot up between two steps: by half a priority at
// least, so that of two jobs of nearly one age neither interrupts the other. A job whose
// own deadline is at risk is not interrupted: it would expire.
func (q *Queue) Interrupts(e, running *Entry, now time.Time) bool {
	return q.Precedes(e, running, now) && (e.risk(now) || running.rank.Sub(e.rank) >= q.ageing/2)
}

// Turn is how long the sensor keeps its session while jobs of equal priority wait for
// the slot: one interval between check-ins, which is what coming back would cost it.
func (q *Queue) Turn(sn *Sensor) time.Duration {
	return max(0, min(sn.Info.NextCheckin.Sub(sn.Info.LastCheckin), q.ageing))
}

// Waited reports whether the sensor's latest session is over for as long as its turn:
// one that has just given its slot up does not take it from others at once.
func (q *Queue) Waited(sn *Sensor, now time.Time) bool {
	return sn.Left.IsZero() || now.Sub(sn.Left) >= q.Turn(sn)
}

// Idle reports whether no job of the sensor runs or could.
func (sn *Sensor) Idle(now time.Time) bool {
	for _, e := range sn.Jobs {
		if e.State == job.Running || !e.asleep(now) {
			return false
		}
	}
	return true
}

package order

import (
	"iter"
	"maps"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Job returns the entry of a live job, or nil.
func (q *Queue) Job(id string) *Entry { return q.jobs[id] }

// Jobs are the live jobs, in no order.
func (q *Queue) Jobs() iter.Seq[*Entry] { return maps.Values(q.jobs) }

// Known returns the sensor of that id if the queue has it, or nil.
func (q *Queue) Known(id edr.Endpoint) *Sensor { return q.sensors[id] }

// Sensors are those that the queue has, in no order.
func (q *Queue) Sensors() iter.Seq[*Sensor] { return maps.Values(q.sensors) }

// OfGroup lists the live jobs of a concurrency group.
func (q *Queue) OfGroup(key string) (ids []string) {
	if g := q.groups[key]; g != nil {
		for id := range g.jobs {
			ids = append(ids, id)
		}
	}
	return ids
}

// Count is how many live jobs there are.
type Count struct {
	States  map[job.State]int
	Reasons map[job.Reason]int // recorded ones
	Sensors int                // with jobs
}

// Count returns a copy of what is counted.
func (q *Queue) Count() Count {
	return Count{maps.Clone(q.census.states), maps.Clone(q.census.reasons), q.census.sensors}
}

// SessionsWanted reports whether a sensor waits for a session.
func (q *Queue) SessionsWanted(now time.Time) bool {
	q.Settle(now)
	return len(q.ranking.sessions) > 0
}

// Ahead counts the sensors that get a slot before the job's.
func (q *Queue) Ahead(e *Entry, now time.Time) (n int) {
	q.Settle(now)
	own := q.candidate(e.Sensor, e, now)
	for _, t := range q.ranking.sessions {
		for _, b := range t.benches {
			for _, sn := range b.sensors {
				if sn != e.Sensor && q.candidate(sn, sn.place.job, now).before(own, now) {
					n++
				}
			}
		}
	}
	return n
}

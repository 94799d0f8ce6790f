package jobs

import (
	"slices"
	"time"

	"edrpipe/pkg/edr"
)

// queue is the scheduler's picture of the live jobs: per sensor, in order. It
// holds no lock and starts nothing; the scheduler guards it.
type queue struct {
	ageing  time.Duration
	jobs    map[string]*entry
	sensors map[int]*sensor
	ranking ranking // the sensors that may have a job to run
	alarms  alarms
	shares  map[flow]*share
	virtual float64           // start of the latest share given
	groups  map[string]*group // by concurrency key
	census  census
}

// sensor is the queue of one sensor and what is known about it.
type sensor struct {
	id    int
	jobs  []*entry // by rank
	plain int      // of them, those that need no session
	busy  bool     // a visit of ours is under way
	open  bool     // and it has an active session
	stale bool     // a dead owner's claim has to be cleared
	place *place   // in the ranking; nil: it has nothing to run
	alarm time.Time

	info    edr.Sensor
	read    time.Time // when info was; zero: never
	missing bool      // the server does not know it
	offline time.Time // since when it has been offline; zero: it is online

	pause    time.Time // nothing before
	paused   move      // why: reason and detail
	rest     time.Time // no session before
	why      Reason    // of rest
	failures int       // sessions that came to nothing in a row
}

func newQueue(ageing time.Duration) *queue {
	return &queue{
		ageing: ageing, jobs: map[string]*entry{}, sensors: map[int]*sensor{},
		ranking: newRanking(), shares: map[flow]*share{}, groups: map[string]*group{}, census: newCensus(),
	}
}

// sensor returns the sensor of that id, making it known.
func (q *queue) sensor(id int) *sensor {
	sn := q.sensors[id]
	if sn == nil {
		sn = &sensor{id: id}
		q.sensors[id] = sn
	}
	return sn
}

// put adds a job or replaces what is known of it. News that is not newer is ignored.
func (q *queue) put(e *entry, now time.Time) {
	if old := q.jobs[e.id]; old != nil {
		if old.revision >= e.revision {
			return
		}
		q.take(old, now)
	}
	q.jobs[e.id] = e
	q.enterGroup(e, now)
	e.share = q.join(e.flow)
	sn := e.sensor
	at, _ := slices.BinarySearchFunc(sn.jobs, e, byRank)
	sn.jobs = slices.Insert(sn.jobs, at, e)
	q.census.add(e, 1)
	q.setAlarm(sn, e.alarm())
	q.review(sn, now)
}

// byRank orders the jobs of a sensor; jobs of one moment by id, so that every
// replica sees the same order.
func byRank(a, b *entry) int {
	if c := a.rank.Compare(b.rank); c != 0 {
		return c
	}
	switch {
	case a.id < b.id:
		return -1
	case a.id > b.id:
		return 1
	}
	return 0
}

// remove forgets a job.
func (q *queue) remove(id string, now time.Time) {
	if e := q.jobs[id]; e != nil {
		q.take(e, now)
		q.review(e.sensor, now)
	}
}

// take takes a job out; the caller reviews its sensor.
func (q *queue) take(e *entry, now time.Time) {
	delete(q.jobs, e.id)
	q.leave(e.flow)
	q.census.add(e, -1)
	if at, ok := slices.BinarySearchFunc(e.sensor.jobs, e, byRank); ok {
		e.sensor.jobs = slices.Delete(e.sensor.jobs, at, at+1)
	}
	q.leaveGroup(e, now)
}

// head is the job of the sensor whose turn it is, or nil. Jobs that wait for
// something of their own, or for a session that cannot be had now, let others pass.
func (q *queue) head(sn *sensor, now time.Time) *entry {
	if sn.pause.After(now) {
		return nil
	}
	sessions := sn.sessionPossible(now)
	if !sessions && sn.plain == 0 { // a long line before a sleeping sensor is not walked for each that joins it
		return nil
	}
	for _, e := range sn.jobs {
		if e.asleep(now) || (e.session && !sessions) || sn.missing {
			continue
		}
		if e.state != Running && q.groupRuns(e.group) {
			continue
		}
		return e
	}
	return nil
}

// lead is how long before a sensor's expected check-in its session is asked for:
// until the check-in a session only holds a slot.
const lead = 10 * time.Second

// sessionFrom is when it makes sense to ask for a session on the sensor; zero:
// not before something changes.
func (sn *sensor) sessionFrom(now time.Time) time.Time {
	if sn.open {
		return now
	}
	if sn.read.IsZero() || sn.missing || !sn.info.LiveResponse || !sn.offline.IsZero() {
		return time.Time{}
	}
	from := now
	// A check-in further off than the sensor's interval tells that the EDR server's
	// clock is ahead of ours: then its times say nothing, and we ask at once.
	interval := sn.info.NextCheckin.Sub(sn.info.LastCheckin)
	if due := sn.checkin(now); due > lead && due <= interval {
		from = now.Add(due - lead)
	}
	if sn.rest.After(from) {
		from = sn.rest
	}
	return from
}

// sessionPossible tells whether it makes sense to ask for a session now.
func (sn *sensor) sessionPossible(now time.Time) bool {
	from := sn.sessionFrom(now)
	return !from.IsZero() && !from.After(now)
}

// review places the sensor in the ranking, or takes it out.
func (q *queue) review(sn *sensor, now time.Time) {
	if sn.pause.After(now) {
		q.setAlarm(sn, sn.pause)
	}
	var head *entry
	if !sn.busy && !sn.stale {
		head = q.head(sn, now)
	}
	if sn.busy || (head == nil && !sn.stale) {
		q.ranking.drop(sn)
		if from := sn.sessionFrom(now); !sn.busy && len(sn.jobs) > 0 && from.After(now) {
			q.setAlarm(sn, from)
		}
		return
	}
	q.ranking.put(sn, head, now, q.headChanges(sn, head, now), q.ageing)
}

// headChanges is when another job may become the head of the sensor's line though
// nothing happens; zero: never.
func (q *queue) headChanges(sn *sensor, head *entry, now time.Time) (at time.Time) {
	for _, e := range sn.jobs {
		if e == head {
			break
		}
		if e.wake.After(now) {
			at = earliest(at, e.wake)
		}
	}
	if from := sn.sessionFrom(now); from.After(now) {
		at = earliest(at, from)
	}
	// That a check-in passes is the ranking's own moment. A clock that was ahead may
	// come to look right.
	interval := sn.info.NextCheckin.Sub(sn.info.LastCheckin)
	if due := sn.checkin(now); interval > 0 && due > interval {
		at = earliest(at, now.Add(due-interval))
	}
	return at
}

// settle places anew the sensors whose place changed with time.
func (q *queue) settle(now time.Time) {
	for sn := q.ranking.due(now); sn != nil; sn = q.ranking.due(now) {
		q.review(sn, now)
	}
}

// forget drops what is known of sensors that have no job any more.
func (q *queue) forget(before time.Time) {
	for id, sn := range q.sensors {
		if len(sn.jobs) == 0 && !sn.busy && !sn.stale && sn.read.Before(before) {
			delete(q.sensors, id)
		}
	}
}

package order

import (
	"slices"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// Queue is the scheduler's view of the live jobs: per sensor, in order. It is guarded by
// the scheduler's lock.
type Queue struct {
	ageing  time.Duration
	jobs    map[string]*Entry
	sensors map[edr.Endpoint]*Sensor
	ranking ranking // the sensors that may have a job to run
	alarms  alarms
	shares  map[Flow]*share
	virtual float64           // start of the latest share given
	groups  map[string]*group // by concurrency key
	census  census
}

// Sensor is the queue of one sensor and what is known about it.
type Sensor struct {
	Endpoint edr.Endpoint
	Jobs     []*Entry // by rank
	plain    int      // of them, those that need no session
	Busy     bool     // a visit of ours is under way
	Open     bool     // and it has an active session
	Stale    bool     // a dead owner's claim has to be cleared
	place    *place   // in the ranking; nil: it has nothing to run
	alarm    time.Time

	Info    edr.Sensor
	Read    time.Time // when info was; zero: never
	Missing bool      // the server does not know it
	Offline time.Time // since when it has been offline; zero: it is online

	Pause    time.Time  // nothing before
	Paused   job.Move   // why: reason and detail
	Rest     time.Time  // no session before
	Why      job.Reason // of rest
	Left     time.Time  // when its latest session ended
	Failures int        // sessions that came to nothing in a row
}

// New returns an empty queue; a waiting job rises by one priority per ageing.
func New(ageing time.Duration) *Queue {
	return &Queue{
		ageing: ageing, jobs: map[string]*Entry{}, sensors: map[edr.Endpoint]*Sensor{},
		ranking: newRanking(), shares: map[Flow]*share{}, groups: map[string]*group{}, census: newCensus(),
	}
}

// sensor returns the sensor of that id, making it known.
func (q *Queue) Sensor(id edr.Endpoint) *Sensor {
	sn := q.sensors[id]
	if sn == nil {
		sn = &Sensor{Endpoint: id}
		q.sensors[id] = sn
	}
	return sn
}

// put adds a job or replaces what is known of it. News that is not newer is ignored.
func (q *Queue) Put(e *Entry, now time.Time) {
	if old := q.jobs[e.ID]; old != nil {
		if old.Revision >= e.Revision {
			return
		}
		q.take(old, now)
	}
	q.jobs[e.ID] = e
	q.enterGroup(e, now)
	e.share = q.join(e.Flow)
	sn := e.Sensor
	at, _ := slices.BinarySearchFunc(sn.Jobs, e, byRank)
	sn.Jobs = slices.Insert(sn.Jobs, at, e)
	q.census.add(e, 1)
	q.SetAlarm(sn, e.alarm())
	q.Review(sn, now)
}

// byRank orders the jobs of a sensor; jobs of one moment by id, so that every
// replica sees the same order.
func byRank(a, b *Entry) int {
	if c := a.rank.Compare(b.rank); c != 0 {
		return c
	}
	switch {
	case a.ID < b.ID:
		return -1
	case a.ID > b.ID:
		return 1
	}
	return 0
}

// remove forgets a job.
func (q *Queue) Remove(id string, now time.Time) {
	if e := q.jobs[id]; e != nil {
		q.take(e, now)
		q.Review(e.Sensor, now)
	}
}

// take takes a job out; the caller reviews its sensor.
func (q *Queue) take(e *Entry, now time.Time) {
	delete(q.jobs, e.ID)
	q.leave(e.Flow)
	q.census.add(e, -1)
	if at, ok := slices.BinarySearchFunc(e.Sensor.Jobs, e, byRank); ok {
		e.Sensor.Jobs = slices.Delete(e.Sensor.Jobs, at, at+1)
	}
	q.leaveGroup(e, now)
}

// head is the job of the sensor whose turn it is, or nil. Jobs that wait for
// something of their own, or for a session that cannot be had now, let others pass.
func (q *Queue) Head(sn *Sensor, now time.Time) *Entry {
	if sn.Pause.After(now) {
		return nil
	}
	sessions := sn.sessionPossible(now)
	if !sessions && sn.plain == 0 { // a long line before a sleeping sensor is not walked for each that joins it
		return nil
	}
	for _, e := range sn.Jobs {
		if e.asleep(now) || (e.Session && !sessions) || sn.Missing {
			continue
		}
		if e.State != job.Running && q.GroupRuns(e.Group) {
			continue
		}
		return e
	}
	return nil
}

// lead is the time before a sensor's expected check-in at which its session is requested:
// before the check-in a session only occupies a slot.
const lead = 10 * time.Second

// sessionFrom is when it makes sense to ask for a session on the sensor; zero:
// not before something changes.
func (sn *Sensor) SessionFrom(now time.Time) time.Time {
	if sn.Open {
		return now
	}
	if sn.Read.IsZero() || sn.Missing || !sn.Info.LiveResponse || !sn.Offline.IsZero() {
		return time.Time{}
	}
	from := now
	// A check-in further off than the sensor's interval tells that the EDR server's
	// clock is ahead of ours: then its times say nothing, and we ask at once.
	interval := sn.Info.NextCheckin.Sub(sn.Info.LastCheckin)
	if due := sn.Checkin(now); due > lead && due <= interval {
		from = now.Add(due - lead)
	}
	if sn.Rest.After(from) {
		from = sn.Rest
	}
	return from
}

// sessionPossible reports whether a session should be requested now.
func (sn *Sensor) sessionPossible(now time.Time) bool {
	from := sn.SessionFrom(now)
	return !from.IsZero() && !from.After(now)
}

// review places the sensor in the ranking, or takes it out.
func (q *Queue) Review(sn *Sensor, now time.Time) {
	if sn.Pause.After(now) {
		q.SetAlarm(sn, sn.Pause)
	}
	var head *Entry
	if !sn.Busy && !sn.Stale {
		head = q.Head(sn, now)
	}
	if sn.Busy || (head == nil && !sn.Stale) {
		q.ranking.drop(sn)
		if from := sn.SessionFrom(now); !sn.Busy && len(sn.Jobs) > 0 && from.After(now) {
			q.SetAlarm(sn, from)
		}
		return
	}
	q.ranking.put(sn, head, now, q.headChanges(sn, head, now), q.ageing)
}

// headChanges is when another job may become the head of the sensor's line though
// nothing happens; zero: never.
func (q *Queue) headChanges(sn *Sensor, head *Entry, now time.Time) (at time.Time) {
	for _, e := range sn.Jobs {
		if e == head {
			break
		}
		if e.Wake.After(now) {
			at = Earliest(at, e.Wake)
		}
	}
	if from := sn.SessionFrom(now); from.After(now) {
		at = Earliest(at, from)
	}
	// That a check-in passes is the ranking's own moment. A clock that was ahead may
	// come to look right.
	interval := sn.Info.NextCheckin.Sub(sn.Info.LastCheckin)
	if due := sn.Checkin(now); interval > 0 && due > interval {
		at = Earliest(at, now.Add(due-interval))
	}
	return at
}

// settle places anew the sensors whose place changed with time.
func (q *Queue) Settle(now time.Time) {
	for sn := q.ranking.due(now); sn != nil; sn = q.ranking.due(now) {
		q.Review(sn, now)
	}
}

// forget drops what is known of sensors that have no job any more.
func (q *Queue) Forget(before time.Time) {
	for id, sn := range q.sensors {
		if len(sn.Jobs) == 0 && !sn.Busy && !sn.Stale && sn.Read.Before(before) {
			delete(q.sensors, id)
		}
	}
}

package jobs

import (
	"container/heap"
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
}

// sensor is the queue of one sensor and what is known about it.
type sensor struct {
	id    int
	jobs  []*entry // by rank
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
		ranking: newRanking(), shares: map[flow]*share{}, groups: map[string]*group{},
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
	if at, ok := slices.BinarySearchFunc(e.sensor.jobs, e, byRank); ok {
		e.sensor.jobs = slices.Delete(e.sensor.jobs, at, at+1)
	}
	q.leaveGroup(e, now)
}

// group is the live jobs of one concurrency key.
type group struct {
	jobs    map[string]*entry
	running int
}

// enterGroup puts a job into its group; one that runs keeps the others waiting.
func (q *queue) enterGroup(e *entry, now time.Time) {
	if e.group == "" {
		return
	}
	g := q.groups[e.group]
	if g == nil {
		g = &group{jobs: map[string]*entry{}}
		q.groups[e.group] = g
	}
	g.jobs[e.id] = e
	if e.state == Running {
		g.running++
		q.reviewGroup(g, now)
	}
}

// leaveGroup takes a job out of its group and wakes those that waited for it.
func (q *queue) leaveGroup(e *entry, now time.Time) {
	g := q.groups[e.group]
	if g == nil {
		return
	}
	if delete(g.jobs, e.id); len(g.jobs) == 0 {
		delete(q.groups, e.group)
	}
	if e.state == Running {
		g.running--
		q.reviewGroup(g, now)
	}
}

func (q *queue) reviewGroup(g *group, now time.Time) {
	for _, e := range g.jobs {
		q.review(e.sensor, now)
	}
}

// head is the job of the sensor whose turn it is, or nil. Jobs that wait for
// something of their own, or for a session that cannot be had now, let others pass.
func (q *queue) head(sn *sensor, now time.Time) *entry {
	if sn.pause.After(now) {
		return nil
	}
	sessions := sn.sessionPossible(now)
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

// groupRuns tells whether a job of the concurrency group runs.
func (q *queue) groupRuns(key string) bool {
	g := q.groups[key]
	return g != nil && g.running > 0
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

// setAlarm has the sensor looked at at a time, or earlier.
func (q *queue) setAlarm(sn *sensor, at time.Time) {
	if at.IsZero() || (!sn.alarm.IsZero() && !at.Before(sn.alarm)) {
		return
	}
	sn.alarm = at
	heap.Push(&q.alarms, alarm{at, sn})
}

// ring returns the jobs whose time has come, for the clerk to look at, and wakes
// sensors that rested. next is when to call again; zero: when something happens.
func (q *queue) ring(now time.Time) (due []string, next time.Time) {
	for len(q.alarms) > 0 && !q.alarms[0].at.After(now) {
		a := heap.Pop(&q.alarms).(alarm)
		if !a.sensor.alarm.Equal(a.at) {
			continue // an earlier alarm of this sensor took its place
		}
		a.sensor.alarm = time.Time{}
		again := time.Time{}
		for _, e := range a.sensor.jobs {
			if e.wake.After(now) {
				again = earliest(again, e.wake)
			} else {
				e.wake = time.Time{}
			}
			if at := e.alarm(); at.After(now) {
				again = earliest(again, at)
			} else if !at.IsZero() {
				due = append(due, e.id)
			}
		}
		q.setAlarm(a.sensor, again)
		q.review(a.sensor, now)
	}
	if len(q.alarms) > 0 {
		next = q.alarms[0].at
	}
	return due, next
}

// forget drops what is known of sensors that have no job any more.
func (q *queue) forget(before time.Time) {
	for id, sn := range q.sensors {
		if len(sn.jobs) == 0 && !sn.busy && !sn.stale && sn.read.Before(before) {
			delete(q.sensors, id)
		}
	}
}

// alarm is a time at which to look at a sensor.
type alarm struct {
	at     time.Time
	sensor *sensor
}

// alarms is a heap, earliest first. An alarm that is not its sensor's any more
// is skipped when it comes up.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)        { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

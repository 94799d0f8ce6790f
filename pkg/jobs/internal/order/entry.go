package order

import (
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

// Entry is what the scheduler keeps in memory of a live job: enough to choose,
// to wake and to explain. The rest is read when the job's turn comes.
type Entry struct {
	ID       string
	Revision uint64
	Sensor   *Sensor
	Flow     Flow
	share    *share // of the flow, once the job is in the queue
	priority int    // 0 low to 3 critical
	State    job.State
	Reason   job.Reason
	Session  bool // the next step needs one
	Created  time.Time
	Since    time.Time // in this state
	rank     time.Time // orders jobs of a sensor: when it was made, less its priority
	Deadline time.Time
	Wake     time.Time // a parked job's own: not before
	Answer   time.Time // a held job's: when its approval lapses
	Group    string
	Volatile bool // a function of this process: its record is in memory only
}

// Flow is what shares are given to.
type Flow struct{ Submitter, Rule string }

// NewEntry is the entry of a record, not yet in the queue. A job whose record says that it waits for a
// slot needs a session.
func (q *Queue) NewEntry(j *job.Job) *Entry {
	p := j.Priority.Rank()
	e := &Entry{
		ID: j.ID, Revision: j.Revision, Sensor: q.Sensor(j.Endpoint), Flow: Flow{j.Submitter, j.Rule}, priority: p,
		State: j.State, Reason: j.Reason, Session: nextNeedsSession(j) || j.Reason == job.ReasonSlot, Group: j.Group,
		Created: j.Created, Since: j.Updated, rank: j.Created.Add(-time.Duration(p) * q.ageing),
		Deadline: j.Deadline, Wake: j.WakeAt,
	}
	for _, a := range j.Approvals {
		if !a.Closed && (e.Answer.IsZero() || a.Until.Before(e.Answer)) {
			e.Answer = a.Until
		}
	}
	return e
}

// nextNeedsSession reports whether the first step that has not ended uses a Live
// Response session. Its condition cannot be known before it runs, so a step that
// will be skipped counts.
func nextNeedsSession(j *job.Job) bool {
	ended := map[string]bool{}
	for _, r := range j.Done {
		if r.Item == 0 && r.State.Ended() {
			ended[r.ID] = true
		}
	}
	return anyNeedsSession(j.Steps, ended)
}

func anyNeedsSession(steps []actions.Step, ended map[string]bool) bool {
	for _, s := range steps {
		if ended[s.ID] {
			continue
		}
		if len(s.Parallel) > 0 {
			return anyNeedsSession(s.Parallel, ended)
		}
		a, ok := actions.Lookup(s.Uses)
		return ok && a.Spec().Session && s.Sensor == ""
	}
	return false
}

// level is the job's priority after ageing.
func (e *Entry) level(now time.Time, ageing time.Duration) int {
	return int(now.Sub(e.rank) / ageing)
}

// rises is when the job's level changes next.
func (e *Entry) rises(now time.Time, ageing time.Duration) time.Time {
	level := e.level(now, ageing)
	if now.Before(e.rank) { // division rounds towards zero
		if level == 0 {
			return e.rank.Add(ageing)
		}
		return e.rank.Add(time.Duration(level)*ageing + 1)
	}
	return e.rank.Add(time.Duration(level+1) * ageing)
}

// Behind reports whether the job comes after another one of the same sensor.
func (e *Entry) Behind(other *Entry) bool { return byRank(e, other) > 0 }

// asleep reports whether the job waits for something of its own, which lets later
// jobs of its sensor go first.
func (e *Entry) asleep(now time.Time) bool {
	return e.State == job.Held || e.Wake.After(now)
}

// alarm is when the job has to be looked at though nothing happened; zero: never.
func (e *Entry) alarm() time.Time {
	switch {
	case e.State == job.Running:
		return time.Time{}
	case e.State == job.Held && !e.Answer.IsZero():
		return e.Answer
	case e.State != job.Held && !e.Wake.IsZero():
		return Earliest(e.Wake, e.Deadline)
	}
	return e.Deadline
}

// Earliest of two times, the zero time meaning never.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

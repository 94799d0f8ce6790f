package jobs

import (
	"time"

	"edrpipe/pkg/actions"
)

// entry is what the scheduler keeps in memory of a live job: enough to choose,
// to wake and to explain. The rest is read when the job's turn comes.
type entry struct {
	id       string
	revision uint64
	sensor   *sensor
	flow     flow
	share    *share // of the flow, once the job is in the queue
	priority int    // 0 low to 3 critical
	state    State
	reason   Reason
	session  bool // the next step needs one
	created  time.Time
	since    time.Time // in this state
	rank     time.Time // orders jobs of a sensor: when it was made, less its priority
	deadline time.Time
	wake     time.Time // a parked job's own: not before
	answer   time.Time // a held job's: when its approval lapses
	group    string
	function *Handle // nil for a durable job
}

// flow is what shares are given to.
type flow struct{ submitter, rule string }

var priorities = map[Priority]int{Low: 0, Normal: 1, "": 1, High: 2, Critical: 3}

func newEntry(j *Job, sn *sensor, ageing time.Duration) *entry {
	p := priorities[j.Priority]
	e := &entry{
		id: j.ID, revision: j.Revision, sensor: sn, flow: flow{j.Submitter, j.Rule}, priority: p,
		state: j.State, reason: j.Reason, session: nextNeedsSession(j) || j.Reason == ReasonSlot, group: j.Group,
		created: j.Created, since: j.Updated, rank: j.Created.Add(-time.Duration(p) * ageing),
		deadline: j.Deadline, wake: j.WakeAt,
	}
	for _, a := range j.Approvals {
		if !a.Closed && (e.answer.IsZero() || a.Until.Before(e.answer)) {
			e.answer = a.Until
		}
	}
	return e
}

// nextNeedsSession tells whether the first step that has not ended uses a Live
// Response session. Its condition cannot be known before it runs, so a step that
// will be skipped counts.
func nextNeedsSession(j *Job) bool {
	ended := map[string]bool{}
	for _, r := range j.Done {
		if r.Item == 0 && r.State.ended() {
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

// ended tells whether the step will not run any more.
func (s StepState) ended() bool {
	return s == StepOK || s == StepFailed || s == StepSkipped || s == StepUnknown
}

// level is the job's priority after ageing.
func (e *entry) level(now time.Time, ageing time.Duration) int {
	return int(now.Sub(e.rank) / ageing)
}

// rises is when the job's level changes next.
func (e *entry) rises(now time.Time, ageing time.Duration) time.Time {
	level := e.level(now, ageing)
	if now.Before(e.rank) { // division rounds towards zero
		if level == 0 {
			return e.rank.Add(ageing)
		}
		return e.rank.Add(time.Duration(level)*ageing + 1)
	}
	return e.rank.Add(time.Duration(level+1) * ageing)
}

// asleep tells whether the job waits for something of its own, which lets later
// jobs of its sensor go first.
func (e *entry) asleep(now time.Time) bool {
	return e.state == Held || e.wake.After(now)
}

// alarm is when the job has to be looked at though nothing happened; zero: never.
func (e *entry) alarm() time.Time {
	switch {
	case e.state == Running:
		return time.Time{}
	case e.state == Held && !e.answer.IsZero():
		return e.answer
	case e.state != Held && !e.wake.IsZero():
		return earliest(e.wake, e.deadline)
	}
	return e.deadline
}

// earliest of two times, the zero time meaning never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

package job

import (
	"slices"
	"time"
)

// maxHistory bounds a job's History; the oldest entries go first.
const maxHistory = 40

// Move is a transition to be made.
type Move struct {
	To     State
	Reason Reason
	Detail string
	Wake   time.Time // of a parked job
}

// Enter puts the transition into the record and returns its entry in the history.
func (j *Job) Enter(m Move, now time.Time) Transition {
	t := Transition{At: now, State: m.To, Reason: m.Reason, Detail: m.Detail}
	if j.State == Running && !j.Updated.IsZero() {
		j.Ran += now.Sub(lastRunning(j))
	}
	j.State, j.Reason, j.Detail, j.WakeAt, j.Updated = m.To, m.Reason, m.Detail, m.Wake, now
	if m.To == Running && j.Started.IsZero() {
		j.Started = now
	}
	if m.To.Terminal() {
		j.Ended = now
	}
	j.History = append(j.History[:len(j.History):len(j.History)], t)
	if extra := len(j.History) - maxHistory; extra > 0 {
		j.History = j.History[extra:]
	}
	return t
}

// lastRunning is when the job began to run this time.
func lastRunning(j *Job) time.Time {
	for i := len(j.History) - 1; i >= 0; i-- {
		if j.History[i].State == Running {
			return j.History[i].At
		}
	}
	return j.Updated
}

// Put places a step's record in the job's, over an older one of the same step and item.
func (j *Job) Put(r StepRecord) {
	j.Done = slices.Clone(j.Done)
	for i := range j.Done {
		if j.Done[i].ID == r.ID && j.Done[i].Item == r.Item {
			j.Done[i] = r
			return
		}
	}
	j.Done = append(j.Done, r)
}

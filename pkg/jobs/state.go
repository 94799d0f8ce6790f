package jobs

import "slices"

// transitions is the state machine. The diagram in doc.go is checked against it.
var transitions = map[State][]State{
	Held:    {Queued, Cancelled, Denied, Expired},
	Queued:  {Running, Parked, Held, Failed, Cancelled, Expired, Denied},
	Parked:  {Queued, Running, Held, Failed, Cancelled, Expired, Denied},
	Running: {Queued, Parked, Held, Succeeded, Failed, Cancelled, Denied, Unknown},
}

// Leads tells whether a job may go from s to next. A terminal state leads
// nowhere: a retry is a new job.
func (s State) Leads(next State) bool { return slices.Contains(transitions[s], next) }

// Waiting tells whether the job waits for something.
func (s State) Waiting() bool { return s == Held || s == Queued || s == Parked }

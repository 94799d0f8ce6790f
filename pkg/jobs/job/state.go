package job

import "slices"

// transitions is the state machine. The diagram in doc.go is compared with it by a test.
var transitions = map[State][]State{
	Held:    {Queued, Parked, Held, Skipped, Cancelled, Denied, Expired},
	Queued:  {Running, Parked, Held, Failed, Cancelled, Expired, Denied},
	Parked:  {Queued, Running, Held, Failed, Cancelled, Expired, Denied},
	Running: {Queued, Parked, Held, Succeeded, Shadowed, Skipped, Failed, Cancelled, Denied, Unknown},
}

// CanTransition reports whether a job in state s may go to next. A terminal state
// has no successor: a retry is a new job.
func (s State) CanTransition(next State) bool { return slices.Contains(transitions[s], next) }

// Waiting reports whether a job in this state waits for something.
func (s State) Waiting() bool { return s == Held || s == Queued || s == Parked }

package jobs

import (
	"encoding/json"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
)

// A Job is a chain of steps bound to a sensor and the event that asked for it:
// plain data, the source of truth in the store.
type Job struct {
	ID        string         `json:"id"` // see ID: deterministic, so that a re-delivered event makes no second job
	Rule      string         `json:"rule,omitempty"`
	Digest    string         `json:"digest,omitempty"` // of the rule as it was
	Submitter string         `json:"submitter"`        // "rule", or the person who submitted it
	Server    string         `json:"server"`           // EDR server
	Sensor    int            `json:"sensor"`
	Host      string         `json:"host,omitempty"`
	Priority  Priority       `json:"priority"`
	Mode      string         `json:"mode,omitempty"` // shadow or enforce
	Steps     []actions.Step `json:"steps"`
	OnFailure []actions.Step `json:"on_failure,omitempty"`
	Timeout   time.Duration  `json:"timeout,omitempty"` // of the whole chain, once it runs
	Group     string         `json:"group,omitempty"`   // concurrency key; empty: the sensor
	Policy    string         `json:"policy,omitempty"`  // concurrency policy: queue, join, drop, replace

	Event      *events.Event  `json:"event,omitempty"`
	Vars       map[string]any `json:"vars,omitempty"`
	Correlated map[string]any `json:"correlated,omitempty"`

	Created  time.Time `json:"created"`
	Deadline time.Time `json:"deadline,omitzero"` // until when it may wait to start

	State    State        `json:"state"`
	Reason   Reason       `json:"reason,omitempty"` // why it waits, or why it ended so
	Detail   string       `json:"detail,omitempty"` // for people
	WakeAt   time.Time    `json:"wake_at,omitzero"` // when a parked job is looked at again
	Attempts int          `json:"attempts,omitempty"`
	Done     []StepRecord `json:"done,omitempty"` // one per step (and per item of a foreach) that was begun
	Updated  time.Time    `json:"updated"`
	Started  time.Time    `json:"started,omitzero"`
	Ended    time.Time    `json:"ended,omitzero"`
	History  []Transition `json:"history,omitempty"` // bounded, the latest
}

// State of a job.
type State string

// States of a job. The last six are terminal.
const (
	Held      State = "held"
	Queued    State = "queued"
	Parked    State = "parked"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
	Denied    State = "denied"
	Unknown   State = "unknown"
)

// Terminal tells whether nothing will happen to the job any more.
func (s State) Terminal() bool {
	switch s {
	case Succeeded, Failed, Cancelled, Expired, Denied, Unknown:
		return true
	}
	return false
}

// Reason names a decision: the same word in log, metric label, result and why.
type Reason string

// Priority of a job.
type Priority string

// Priorities, highest first.
const (
	Critical Priority = "critical"
	High     Priority = "high"
	Normal   Priority = "normal"
	Low      Priority = "low"
)

// StepState is how far a step has come.
type StepState string

// States of a step. Intent is written before its request leaves.
const (
	StepPending   StepState = "pending"
	StepIntent    StepState = "intent"
	StepSubmitted StepState = "submitted"
	StepOK        StepState = "ok"
	StepFailed    StepState = "failed"
	StepSkipped   StepState = "skipped"
	StepUnknown   StepState = "unknown"
)

// StepRecord is the checkpoint of one step.
type StepRecord struct {
	ID       string          `json:"id"`
	Item     int             `json:"item,omitempty"` // index in a foreach, from 1; 0: none
	Uses     string          `json:"uses"`
	State    StepState       `json:"state"`
	Args     map[string]any  `json:"args,omitempty"`    // parameters as evaluated
	Session  int64           `json:"session,omitempty"` // of the intent
	After    int64           `json:"after,omitempty"`   // highest command id seen before the intent
	Command  int64           `json:"command,omitempty"` // of the submission
	Attempts int             `json:"attempts,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	Error    string          `json:"error,omitempty"`
	Reason   Reason          `json:"reason,omitempty"`
	Started  time.Time       `json:"started,omitzero"`
	Ended    time.Time       `json:"ended,omitzero"`
}

// Transition is one entry of a job's history.
type Transition struct {
	At     time.Time `json:"at"`
	State  State     `json:"state"`
	Reason Reason    `json:"reason,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

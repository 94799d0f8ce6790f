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
	ID        string            `json:"id"` // see ID: deterministic, so that a re-delivered event makes no second job
	Rule      string            `json:"rule,omitempty"`
	Digest    string            `json:"digest,omitempty"` // of the rule as it was
	About     *actions.RuleInfo `json:"about,omitempty"`  // the rule, as expressions see it
	Submitter string            `json:"submitter"`        // "rule", or the person who submitted it
	Server    string            `json:"server"`           // EDR server
	Sensor    int               `json:"sensor"`
	Host      string            `json:"host,omitempty"`
	Priority  Priority          `json:"priority"`
	Mode      string            `json:"mode,omitempty"` // shadow or enforce
	Steps     []actions.Step    `json:"steps"`
	OnFailure []actions.Step    `json:"on_failure,omitempty"`
	Timeout   time.Duration     `json:"timeout,omitempty"` // of the whole chain, once it runs
	Group     string            `json:"group,omitempty"`   // concurrency key; empty: the sensor
	Policy    Policy            `json:"policy,omitempty"`  // what happens when a job of the same Group is under way
	Literal   bool              `json:"literal,omitempty"` // the steps' values are final: never evaluated again
	Parent    *Parent           `json:"parent,omitempty"`  // the step of another job that waits for this one
	Trace     string            `json:"trace,omitempty"`   // W3C traceparent of what asked for the job: a trace survives restarts
	Of        string            `json:"of,omitempty"`      // the job that this one retries, resolves or undoes

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

	Ran       time.Duration `json:"ran,omitempty"`   // time spent running so far; waiting does not count
	Owner     string        `json:"owner,omitempty"` // the replica that runs it, or ran it last
	Epoch     uint64        `json:"epoch,omitempty"` // of that replica's claim: the fencing token in the record
	Cancel    *Request      `json:"cancel,omitempty"`
	Approvals []Approval    `json:"approvals,omitempty"`

	// Revision is the record's version in the store, for compare-and-set.
	Revision uint64 `json:"-"`
}

// Policy says what happens to a job when another of its Group is under way.
type Policy string

// Policies. The empty one is Queue.
const (
	Queue   Policy = "queue"   // wait until the other has ended
	Join    Policy = "join"    // the other does it for both: end as cancelled
	Drop    Policy = "drop"    // end as denied
	Replace Policy = "replace" // cancel the other
)

// Parent names the step that a job runs for.
type Parent struct {
	Job  string `json:"job"`
	Step string `json:"step"`
	Item int    `json:"item,omitempty"`
}

// Request is what a person asked for.
type Request struct {
	By  string    `json:"by"`
	Why string    `json:"why,omitempty"`
	At  time.Time `json:"at"`
}

// Approval is a question to people that holds a job, and their answers.
type Approval struct {
	Step      string    `json:"step"`           // "" when the whole job is held
	Item      int       `json:"item,omitempty"` // of a foreach
	From      []string  `json:"from,omitempty"` // people or groups that may answer; empty: anybody who may approve
	Require   int       `json:"require"`        // different people that must agree
	Until     time.Time `json:"until,omitzero"` // after that Otherwise applies
	Otherwise string    `json:"otherwise,omitempty"`
	Answers   []Answer  `json:"answers,omitempty"`
	Granted   bool      `json:"granted,omitempty"`
	Closed    bool      `json:"closed,omitempty"` // decided
}

// Answer is one person's answer to an Approval.
type Answer struct {
	Step   string    `json:"step,omitempty"` // "" answers whatever the job waits for
	By     string    `json:"by"`
	Groups []string  `json:"groups,omitempty"` // that the person is in
	Allow  bool      `json:"allow"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at"`
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
	Sent     string          `json:"sent,omitempty"`    // name of that command
	Until    time.Time       `json:"until,omitzero"`    // no other attempt before
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

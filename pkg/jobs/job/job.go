package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// A Job is a chain of steps bound to a sensor and to the event that triggered it: plain
// data, the source of truth in the store.
type Job struct {
	ID        string            `json:"id"` // see ID: deterministic, so that a re-delivered event makes no second job
	Rule      string            `json:"rule,omitempty"`
	Digest    string            `json:"digest,omitempty"` // of the rule as it was
	About     *actions.RuleInfo `json:"about,omitempty"`  // the rule, as expressions see it
	Submitter string            `json:"submitter"`        // "rule", or the person who submitted it
	Endpoint  edr.Endpoint      `json:"endpoint"`
	Host      string            `json:"host,omitempty"`  // name that its server has for the endpoint; before that was read, Meant
	Meant     string            `json:"meant,omitempty"` // host name that the event, or the submitter, called the endpoint
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
	Clipped    []string       `json:"clipped,omitempty"` // fields of the event that were cut, as the record would be too large: the whole message is a dead letter

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
	Approvals []Question    `json:"approvals,omitempty"`

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

func (r *Request) String() string {
	if r.Why == "" {
		return "by " + r.By
	}
	return fmt.Sprintf("by %s: %s", r.By, r.Why)
}

// WaitedFor says what an expired job waited for.
func (j *Job) WaitedFor() string {
	text := "waited since " + j.Created.UTC().Format(time.RFC3339)
	if j.Reason != "" {
		text += ", at last for: " + string(j.Reason)
	}
	if j.Detail != "" {
		text += " (" + j.Detail + ")"
	}
	return text
}

// State of a job.
type State string

// States of a job. The first four are live, the others terminal. A shadowed job only
// recorded what it would have done; of a skipped one no step's condition held.
const (
	Held      State = "held"
	Queued    State = "queued"
	Parked    State = "parked"
	Running   State = "running"
	Succeeded State = "succeeded"
	Shadowed  State = "shadowed"
	Skipped   State = "skipped"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired"
	Denied    State = "denied"
	Unknown   State = "unknown"
)

// Terminal reports whether a job in this state has ended.
func (s State) Terminal() bool {
	return slices.Contains(Ended(), s)
}

// Live are the states of jobs that have not ended.
func Live() []State { return []State{Held, Queued, Parked, Running} }

// Ended are the terminal states.
func Ended() []State {
	return []State{Succeeded, Shadowed, Skipped, Failed, Cancelled, Expired, Denied, Unknown}
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

// Ended reports whether the step will not run any more.
func (s StepState) Ended() bool {
	return s == StepOK || s == StepFailed || s == StepSkipped || s == StepUnknown
}

// Rank is the priority as a number, 0 for low to 3 for critical; the empty one is
// normal.
func (p Priority) Rank() int { return ranks[p] }

var ranks = map[Priority]int{Low: 0, Normal: 1, "": 1, High: 2, Critical: 3}

// Valid reports whether there is such a priority.
func (p Priority) Valid() bool {
	_, known := ranks[p]
	return known
}

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
	Session  looseid.ID      `json:"session,omitempty"` // of the intent
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

// Undoes reports whether the job takes back what a step of another one did.
func (j *Job) Undoes() bool { return j.Of != "" && len(j.Steps) == 1 && j.Steps[0].ID == UndoStep }

// UndoStep is the id of the one step of a job that undoes another's.
const UndoStep = "undo"

// MeantHost is the host name by which the job's endpoint was meant; empty: by none.
// An event says how it calls the endpoint that it is about. Of other endpoints, on
// which the rule acts because of it, it says nothing.
func (j *Job) MeantHost() string {
	if j.Meant != "" {
		return j.Meant
	}
	if j.Event == nil || j.Undoes() {
		return ""
	}
	if s := &j.Event.Sensor; s.ID == "" || s.ID == j.Endpoint.ID {
		return s.Hostname
	}
	return ""
}

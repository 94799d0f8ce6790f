package job

import (
	"encoding/json"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/events"
)

// These are what consumers of the bus read: a contract, kept apart from the
// records so that those may change. They carry no event text beyond what names
// the event; the event itself is on the bus under its own id.

// ResultNotice tells what came of a job.
type ResultNotice struct {
	Job       string       `json:"job"`
	Of        string       `json:"of,omitempty"` // the job that this one retries, resolves or undoes
	Rule      string       `json:"rule,omitempty"`
	Digest    string       `json:"rule_digest,omitempty"`
	Submitter string       `json:"submitter"`
	Mode      string       `json:"mode,omitempty"`
	Server    string       `json:"server"`
	Sensor    looseid.ID   `json:"sensor"`
	Host      string       `json:"host,omitempty"`
	Event     *EventRef    `json:"event,omitempty"`
	State     State        `json:"state"`
	Reason    Reason       `json:"reason,omitempty"`
	Detail    string       `json:"detail,omitempty"`
	Created   time.Time    `json:"created"`
	Started   time.Time    `json:"started,omitzero"`
	Ended     time.Time    `json:"ended"`
	Steps     []StepNotice `json:"steps"`
}

// EventRef names the event that asked for a job.
type EventRef struct {
	ID   string      `json:"id"`
	Type string      `json:"type"`
	Kind events.Kind `json:"kind"`
	Time time.Time   `json:"time,omitzero"`
}

// StepNotice tells what came of a step.
type StepNotice struct {
	Job     string          `json:"job,omitempty"` // only where it stands alone
	ID      string          `json:"id"`
	Item    int             `json:"item,omitempty"`
	Uses    string          `json:"uses"`
	State   StepState       `json:"state"`
	Reason  Reason          `json:"reason,omitempty"`
	Args    map[string]any  `json:"args,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"`
	Error   string          `json:"error,omitempty"`
	Session looseid.ID      `json:"session,omitempty"`
	Command int64           `json:"command,omitempty"`
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
}

// TransitionNotice tells that a job changed its state.
type TransitionNotice struct {
	Job    string     `json:"job"`
	Rule   string     `json:"rule,omitempty"`
	Server string     `json:"server"`
	Sensor looseid.ID `json:"sensor"`
	Host   string     `json:"host,omitempty"`
	State  State      `json:"state"`
	Reason Reason     `json:"reason,omitempty"`
	Detail string     `json:"detail,omitempty"`
	At     time.Time  `json:"at"`
	WakeAt time.Time  `json:"wake_at,omitzero"`
}

// Result is the notice of j's end.
func (j *Job) Result() ResultNotice {
	n := ResultNotice{
		Job: j.ID, Of: j.Of, Rule: j.Rule, Digest: j.Digest, Submitter: j.Submitter, Mode: j.Mode,
		Server: j.Endpoint.Server, Sensor: looseid.ID(j.Endpoint.ID), Host: j.Host,
		State: j.State, Reason: j.Reason, Detail: j.Detail,
		Created: j.Created, Started: j.Started, Ended: j.Ended,
		Steps: make([]StepNotice, 0, len(j.Done)),
	}
	if e := j.Event; e != nil {
		n.Event = &EventRef{ID: e.Event.ID, Type: e.Event.Type, Kind: e.Event.Kind, Time: e.Event.Time}
	}
	for _, s := range j.Done {
		n.Steps = append(n.Steps, s.Notice())
	}
	return n
}

// Notice is what consumers see of the step.
func (s StepRecord) Notice() StepNotice {
	return StepNotice{
		ID: s.ID, Item: s.Item, Uses: s.Uses, State: s.State, Reason: s.Reason, Args: s.Args, Output: s.Output,
		Error: s.Error, Session: s.Session, Command: s.Command, Started: s.Started, Ended: s.Ended,
	}
}

// Notice is what consumers see of a transition of j.
func (t Transition) Notice(j *Job) TransitionNotice {
	return TransitionNotice{
		Job: j.ID, Rule: j.Rule, Server: j.Endpoint.Server, Sensor: looseid.ID(j.Endpoint.ID), Host: j.Host,
		State: t.State, Reason: t.Reason, Detail: t.Detail, At: t.At, WakeAt: j.WakeAt,
	}
}

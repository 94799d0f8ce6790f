// Package admission is the vocabulary of one question: may this step run? The
// scheduler makes a Request before a step acts, guards decide with a Verdict, and
// people answer where an Approval is demanded. The package has no behaviour, so
// that those who ask, decide and answer share it without knowing each other.
package admission

import (
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Request is the question whether a step may run.
type Request struct {
	Job       string
	Step      string
	Item      int // of a foreach, from 1
	Rule      string
	RulePath  string // file of the rule, relative to the rules' directory
	Digest    string // of the rule as it was when the job was made
	Submitter string // "rule", or the person who submitted the job
	Shadow    bool   // the job's rule is in shadow mode

	Action      string
	Destructive bool // the action changes the endpoint or its server
	Undo        bool // the step takes back what an earlier one did
	// Pending: people have not agreed yet, as the step's own approval wants. The
	// request is made again before the step acts.
	Pending bool
	Args    map[string]any // evaluated

	Endpoint edr.Endpoint
	Sensor   edr.Sensor    // as the endpoint's server knows it; when the job is made perhaps the id alone
	Event    *events.Event // nil: none
	Answers  []Answer      // that people gave to this step's approvals so far
}

// Decision is what may happen to a step.
type Decision string

// Decisions. A step that is held is asked about again.
const (
	Allow  Decision = ""
	Deny   Decision = "deny"   // the step fails and its job ends as denied
	Hold   Decision = "hold"   // the job waits
	Shadow Decision = "shadow" // the step is recorded with its arguments and not run
)

// Reason names a decision: the same word in log, metric label, result and why.
type Reason string

// Verdict is a decision and its reason. The zero value allows.
type Verdict struct {
	Decision Decision
	Reason   Reason
	Guard    string    // name of the guard in its file, or who stopped or silenced
	Detail   string    // for people
	Until    time.Time // of a hold: ask again then; zero: in a minute
	InOrder  bool      // of a hold: later jobs of the sensor wait, too; asked again within seconds
	Approval *Approval // of a hold: people decide

	// Missing are the facts of the endpoint that are not known, and on which the
	// verdict hangs.
	Missing events.Facts
}

// Text is the verdict's detail with the name of the guard before it.
func (v Verdict) Text() string {
	if v.Guard == "" {
		return v.Detail
	}
	return v.Guard + ": " + v.Detail
}

// Approval says whose agreement a step needs.
type Approval struct {
	From      []string      // people or groups that may answer; empty: every approver
	Require   int           // how many different people must agree; 0: 1
	Within    time.Duration // after that Otherwise applies; 0: no limit
	Otherwise string        // allow or deny; empty: deny
	Missing   events.Facts  // facts that are not known, so that the agreement counts as needed
}

// Answer is one person's answer to an approval.
type Answer struct {
	Step   string    `json:"step,omitempty"` // "" answers whatever the job waits for
	By     string    `json:"by"`
	Groups []string  `json:"groups,omitempty"` // that the person is in
	Allow  bool      `json:"allow"`
	Why    string    `json:"why,omitempty"`
	At     time.Time `json:"at"`
	Digest string    `json:"digest,omitempty"` // of the call that was answered
}

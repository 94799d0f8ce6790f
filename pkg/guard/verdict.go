package guard

import (
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Ask is the question whether a step may run.
type Ask struct {
	Job       string
	Step      string
	Item      int // of a foreach, from 1
	Rule      string
	RulePath  string // file of the rule, relative to the rules' directory; see Policy.Rules
	Submitter string // "rule", or the person who asked for the job
	Shadow    bool   // the rule is in shadow mode

	Action      string
	Destructive bool // the action changes the endpoint or its server
	Undo        bool // it takes back what an earlier step did
	Pending     bool // people have yet to agree, as the rule wants: asked again before it acts
	Args        map[string]any

	Sensor  edr.Sensor    // as its server knows it; at enqueue perhaps the id alone
	Event   *events.Event // nil: none
	Answers []Answer      // what people answered to this step's approvals so far
}

// Answer is one person's word on a step.
type Answer struct {
	By     string
	Groups []string
	Allow  bool
}

// Verdict is the decision and why. The zero value allows.
type Verdict struct {
	Decision Decision
	Reason   Reason
	Guard    string    // name of the guard in its file, or who stopped or silenced
	Detail   string    // for people
	Until    time.Time // of a hold: ask again then; zero: when people have acted
	Approval *Approval // of a hold for approval
}

// Approval says whose word is needed.
type Approval struct {
	From    []string      `yaml:"from" list:"one"` // people or groups; empty: anybody who may approve
	Require int           `yaml:"require" min:"1"` // how many different people; 0: 1
	Within  time.Duration `yaml:"within"`          // after that it is denied; 0: a day
}

// Decision is what may happen to a step.
type Decision string

// Decisions. A step that is held is asked about again.
const (
	Allow  Decision = ""
	Deny   Decision = "deny"
	Hold   Decision = "hold"
	Shadow Decision = "shadow" // record what would have run, and do not run it
)

// Reason names why a guard did not allow a step: the same word in log, metric,
// result and why.
type Reason string

// Reasons.
const (
	Stopped    Reason = "stopped"       // people stopped everything
	DryRun     Reason = "dry_run"       // acting is switched off
	RuleShadow Reason = "shadow"        // the rule, or its path, is in shadow mode
	Protected  Reason = "protected"     // the sensor is protected from the action
	NotAllowed Reason = "not_allowed"   // rules of that path may not use the action
	Silenced   Reason = "silenced"      // people silenced the rule, sensor or action
	Hours      Reason = "outside_hours" // not at this time
	Tripped    Reason = "breaker"       // the rule's circuit breaker is open
	Unapproved Reason = "approval"      // people have to agree
	Refused    Reason = "refused"       // somebody who was asked said no
	Budget     Reason = "budget"        // as much as allowed was done
	Undecided  Reason = "guard_state"   // a guard could not be evaluated or its state not be read
)

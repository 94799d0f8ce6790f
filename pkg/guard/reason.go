package guard

import "edrpipe/pkg/admission"

// Reason names why a guard did not allow a step: the same word in log, metric,
// result and why.
type Reason = admission.Reason

// Reasons.
const (
	Stopped     Reason = "stopped"       // people stopped everything
	DryRun      Reason = "dry_run"       // acting is switched off
	RuleShadow  Reason = "shadow"        // the rule, or its path, is in shadow mode
	Protected   Reason = "protected"     // the sensor is protected from the action
	NotAllowed  Reason = "not_allowed"   // rules of that path may not use the action
	Silenced    Reason = "silenced"      // people silenced the rule, sensor or action
	Hours       Reason = "outside_hours" // not at this time
	Tripped     Reason = "breaker"       // the rule's circuit breaker is open
	Unapproved  Reason = "approval"      // people have to agree
	Refused     Reason = "refused"       // a person who may answer said no
	Budget      Reason = "budget"        // as much as allowed was done
	UnknownFact Reason = "unknown_fact"  // whether the guard applies hangs on a fact that is not known
	Undecided   Reason = "guard_state"   // a guard could not be evaluated or its state not be read
)

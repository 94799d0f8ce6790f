package guard

import (
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
)

// unclear collects the guards of which it cannot be told whether they apply to a step,
// and the facts of the endpoint that are missing to tell.
type unclear struct {
	guards  []string
	missing events.Facts
}

func (u *unclear) add(guard string, missing events.Facts) {
	if !slices.Contains(u.guards, guard) {
		u.guards = append(u.guards, guard)
	}
	u.missing |= missing
}

// verdict holds the step until the facts arrive or a person has agreed to it. The
// question has no end of its own: the job's deadline bounds it, and an undo is not lost.
func (u *unclear) verdict(a admission.Request) admission.Verdict {
	if len(u.guards) == 0 {
		return admission.Verdict{}
	}
	guards := strings.Join(u.guards, ", ")
	agreed, refusedBy := Consent{}.count(a.Answers, a.Submitter)
	switch {
	case refusedBy != "":
		return admission.Verdict{Decision: admission.Deny, Reason: Refused, Guard: guards, Detail: refusedBy + " refused"}
	case agreed > 0:
		return admission.Verdict{}
	}
	return admission.Verdict{
		Decision: admission.Hold, Reason: UnknownFact, Guard: guards, Missing: u.missing,
		Approval: &admission.Approval{Require: 1}, Detail: notKnown(u.missing),
	}
}

// notKnown names facts that are not known, and where they can come from.
func notKnown(missing events.Facts) string {
	return fmt.Sprintf("%s is not known; it can come from the endpoint's events, from its server, or from the endpoints file", missing)
}

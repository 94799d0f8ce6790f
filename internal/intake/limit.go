package intake

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// limit applies a rule's own limit over all sensors and replicas. Beyond it the
// job is changed as the rule says, or dropped: then the answer says why.
func (in *Intake) limit(ctx context.Context, r *rules.Rule, j *jobs.Job) (dropped string, err error) {
	if r.Limits == nil {
		return "", nil
	}
	ok, until, err := in.Guard.Quota(ctx, r.ID, j.ID, r.Limits.Jobs, r.Limits.Per)
	if err != nil || ok {
		return "", err
	}
	text := fmt.Sprintf("%d jobs in %s are allowed; again from %s", r.Limits.Jobs, r.Limits.Per, until.UTC().Format(time.RFC3339))
	exceed := r.Limits.OnExceed
	if until.IsZero() { // what is used up is not known: a person lets the job through
		text = "the record of the rule's limit does not verify: see pipeline state quarantine list"
		if exceed != "drop" && exceed != "shadow" {
			exceed = "require_approval"
		}
	}
	switch exceed {
	case "drop":
		return text, nil
	case "shadow":
		j.Mode = string(rules.Shadow)
	case "require_approval":
		j.State, j.Reason, j.Detail = jobs.Held, jobs.ReasonApproval, text
		j.Approvals = []jobs.Question{{Require: 1, Until: j.Deadline, Otherwise: "deny"}}
	default: // hold
		if j.State == jobs.Held { // a person decides anyway
			return "", nil
		}
		j.State, j.Reason, j.Detail, j.WakeAt = jobs.Parked, jobs.ReasonBudget, text, until
	}
	return "", nil
}

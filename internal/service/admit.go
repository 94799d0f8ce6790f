package service

import (
	"context"

	"edrpipe/internal/intake"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/guard"
)

// gate asks the guard on behalf of the scheduler: the one door between a
// step and the endpoint.
type gate struct {
	guard *guard.Guard
	rules *intake.Ruleset
	audit *audit.Log
}

// admit is jobs.Config.Admit.
func (a gate) admit(ctx context.Context, q admission.Request) admission.Verdict {
	q.RulePath = a.rules.Path(q.Rule)
	v := a.guard.Admit(ctx, q)
	if err := auditVerdict(ctx, a.audit, q, v); err != nil {
		return undecidable(err)
	}
	return v
}

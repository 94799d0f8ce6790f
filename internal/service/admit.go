package service

import (
	"context"

	"edrpipe/internal/intake"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/guard"
)

// gate is the scheduler's admission check: every step passes it before it acts on an
// endpoint.
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

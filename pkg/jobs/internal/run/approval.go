package run

import (
	"slices"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs/job"
)

// approval returns the question about the step that asks for the same people, or
// nil. What some people allowed answers no question to others: a guard and a rule
// may both ask, and a guard may do so only after a reload. Nor do answers to another
// call: what was granted is the call with its arguments as they were then.
func (x *Execution) approval(st *actions.Step, r *job.StepRecord, ask *admission.Approval) *job.Question {
	digest := job.CallDigest(r.Uses, x.job.Endpoint, r.Args)
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.job.Approvals {
		a := x.job.Approvals[i]
		if a.Step == st.ID && a.Item == r.Item && a.Digest == digest && a.Require == max(ask.Require, 1) && slices.Equal(a.From, ask.From) {
			return &a
		}
	}
	return nil
}

package run

import (
	"slices"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs/job"
)

// approval returns the question about the step that asks for the same people, or
// nil. What some people allowed answers no question to others: a guard and a rule
// may both ask, and a guard may do so only after a reload.
func (x *Execution) approval(st *actions.Step, item int, ask *admission.Approval) *job.Question {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.job.Approvals {
		a := x.job.Approvals[i]
		if a.Step == st.ID && a.Item == item && a.Require == max(ask.Require, 1) && slices.Equal(a.From, ask.From) {
			return &a
		}
	}
	return nil
}

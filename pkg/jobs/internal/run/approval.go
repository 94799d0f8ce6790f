package run

import (
	"context"
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

// askPeople holds the job until people answer.
func (x *Execution) askPeople(ctx context.Context, st *actions.Step, r *job.StepRecord, ask *admission.Approval) *Halt {
	a := job.Question{Step: st.ID, Item: r.Item, Args: r.Args, From: ask.From, Require: max(ask.Require, 1), Otherwise: ask.Otherwise}
	if ask.Within > 0 {
		a.Until = x.cfg.Now().Add(ask.Within)
	}
	if err := x.save(ctx, func(j *job.Job) { j.Approvals = append(slices.Clone(j.Approvals), a) }); err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return &Halt{Move: job.Move{To: job.Held, Reason: job.ReasonApproval, Detail: a.Text()}}
}

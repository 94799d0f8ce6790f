package jobs

import (
	"context"
	"fmt"
	"slices"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs/job"
)

// approval returns the question about the step that asks for the same people, or
// nil. What some people allowed answers no question to others: a guard and a rule
// may both ask, and a guard may do so only after a reload.
func (x *execution) approval(st *actions.Step, item int, ask *admission.Approval) *Question {
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
func (x *execution) askPeople(ctx context.Context, st *actions.Step, item int, ask *admission.Approval) *halt {
	a := Question{Step: st.ID, Item: item, From: ask.From, Require: max(ask.Require, 1), Otherwise: ask.Otherwise}
	if ask.Within > 0 {
		a.Until = x.s.cfg.Now().Add(ask.Within)
	}
	if err := x.save(ctx, func(j *Job) { j.Approvals = append(slices.Clone(j.Approvals), a) }); err != nil {
		return &halt{keep: true, text: err.Error()}
	}
	return &halt{Move: job.Move{To: Held, Reason: ReasonApproval, Detail: a.Text()}}
}

// Approve gives a person's answer to what a held job asks. Answering no denies
// the step, or the whole job where that is held.
func (s *Scheduler) Approve(ctx context.Context, id string, ans Answer) (*Job, error) {
	if ans.By == "" {
		return nil, fmt.Errorf("approve job %s: an answer needs a name", id)
	}
	ans.At = s.cfg.Now()
	return s.amend(ctx, id, func(j *Job) (bool, error) {
		if j.State != Held {
			return false, job.Refuse("job %s is %s: it waits for nobody's approval", id, j.State)
		}
		approvals := slices.Clone(j.Approvals)
		for i := range approvals {
			if a := &approvals[i]; !a.Closed && (ans.Step == "" || ans.Step == a.Step) {
				j.Approvals = approvals
				return true, a.Take(ans)
			}
		}
		if len(approvals) == 0 && ans.Step == "" { // held as a whole, by a guard
			a := Question{Require: 1}
			j.Approvals = []Question{a}
			return true, j.Approvals[0].Take(ans)
		}
		return false, fmt.Errorf("job %s does not wait for an approval of step %q", id, ans.Step)
	})
}

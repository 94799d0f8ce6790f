package jobs

import (
	"context"
	"fmt"
	"slices"

	"edrpipe/pkg/jobs/job"
)

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

package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/jobs/job"
)

// Approve records a person's answer to the question of a held job. The answer no denies
// the step, or the whole job if the job itself is held.
func (s *Scheduler) Approve(ctx context.Context, id string, ans Answer) (*Job, error) {
	if ans.By == "" {
		return nil, fmt.Errorf("approve job %s: an answer needs a name", id)
	}
	ans.At = s.cfg.Now()
	if ans.Allow {
		if err := s.notOwn(ctx, id, ans.By); err != nil {
			return nil, err
		}
	}
	return s.records.amend(ctx, id, func(j *Job) (bool, error) {
		if j.State != Held {
			return false, job.Refuse("job %s is %s: it waits for nobody's approval", id, j.State)
		}
		approvals := slices.Clone(j.Approvals)
		for i := range approvals {
			if a := &approvals[i]; !a.Closed && (ans.Step == "" || ans.Step == a.Step) {
				j.Approvals = approvals
				return true, answerTo(j, a, ans)
			}
		}
		if len(approvals) == 0 && ans.Step == "" { // held as a whole, by a guard
			j.Approvals = []Question{{Require: 1}}
			return true, answerTo(j, &j.Approvals[0], ans)
		}
		return false, fmt.Errorf("job %s does not wait for an approval of step %q", id, ans.Step)
	})
}

// answerTo takes an answer to the call that the question asks for, whose digest it keeps.
func answerTo(j *Job, q *Question, ans Answer) error {
	digest, _ := j.Call(*q)
	if ans.Digest != "" && ans.Digest != digest {
		return job.Refuse("the call is %.12s now, and the answer is to %.12s: look at it again", digest, ans.Digest)
	}
	ans.Digest = digest
	return q.Take(ans)
}

// maxChain bounds how many jobs that went on for one another are looked at.
const maxChain = 50

// notOwn refuses a person's yes to a job that this person submitted, or that goes on for
// one, as a retry or an undo does.
func (s *Scheduler) notOwn(ctx context.Context, id, by string) error {
	for n := 0; id != "" && n < maxChain; n++ {
		j, err := s.Get(ctx, id)
		if n > 0 && errors.Is(err, ErrNoJob) {
			return nil // too old to be kept
		}
		if err != nil {
			return err
		}
		if strings.EqualFold(j.Submitter, by) {
			return job.Refuse("%s submitted job %s: another person has to approve it", by, id)
		}
		id = j.Of
	}
	return nil
}

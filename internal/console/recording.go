package console

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// JobTest is a job of a rule as a test of that rule.
func (c *Console) JobTest(ctx context.Context, id string) (web.JobTest, error) {
	j, err := c.job(ctx, id)
	if err != nil {
		return web.JobTest{}, err
	}
	text, err := Recording(j, false).Test()
	if err != nil {
		return web.JobTest{}, errors.Join(web.ErrBadRequest, err)
	}
	return web.JobTest{Name: j.Rule + "_test.yaml", Text: string(text)}, nil
}

// Recording takes from a job what a test needs: the steps of its chains that ran, each
// once. raw keeps the original message of the event.
func Recording(j *jobs.Job, raw bool) rules.Recording {
	r := rules.Recording{
		Name: fmt.Sprintf("job %s on %s", j.ID, j.Endpoint), Rule: j.Rule, Event: j.Event, Raw: raw,
		Outcome: string(j.State),
	}
	own := map[string]bool{}
	stepIDs(j.Steps, own)
	stepIDs(j.OnFailure, own)
	for _, done := range j.Done {
		if !own[done.ID] || done.State != jobs.StepOK && done.State != jobs.StepFailed {
			continue
		}
		r.Steps = append(r.Steps, rules.RecordedStep{ID: done.ID, Args: done.Args, Output: done.Output, Error: done.Error})
	}
	return r
}

func stepIDs(steps []actions.Step, into map[string]bool) {
	for _, s := range steps {
		into[s.ID] = true
		stepIDs(s.Parallel, into)
	}
}

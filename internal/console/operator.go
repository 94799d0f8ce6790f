package console

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/web"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs"
)

// Submit records a job that a person submits.
func (c *Console) Submit(ctx context.Context, by web.User, r web.Submission) (web.JobLine, error) {
	if err := r.Check(c.Now()); err != nil {
		return web.JobLine{}, errors.Join(web.ErrBadRequest, err)
	}
	at, err := c.endpoint(ctx, string(r.Sensor))
	if err != nil {
		return web.JobLine{}, err
	}
	j := &jobs.Job{Submitter: by.Name, Endpoint: at, Steps: r.Steps, Priority: r.Priority, Deadline: r.Deadline}
	if r.DryRun {
		j.Mode = string(admission.Shadow)
	}
	if s, err := c.Fleet.Member(at.Server).Directory.Find(ctx, at.ID); err == nil {
		j.Host = s.Hostname
	}
	j.ID = jobs.NewID() // known before, so that its entry comes before it
	if err := c.note(ctx, by, "submit", j.ID, ""); err != nil {
		return web.JobLine{}, err
	}
	if _, err := c.Fleet.Enqueue(ctx, j); err != nil {
		return web.JobLine{}, err
	}
	return line(j), nil
}

// Cancel cancels a job. That the job has ended is an error: it may have done what the
// person wanted to prevent.
func (c *Console) Cancel(ctx context.Context, by web.User, id, why string) error {
	j, err := c.job(ctx, id)
	if err != nil {
		return err
	}
	if j.State.Terminal() && j.State != jobs.Cancelled {
		return fmt.Errorf("%w: job %s is %s, there is nothing to cancel", jobs.ErrRefused, id, j.State)
	}
	if err := c.note(ctx, by, "cancel", id, why); err != nil {
		return err
	}
	_, err = c.Fleet.Cancel(ctx, id, by.Name, why)
	return err
}

// Retry runs an ended job again, as a new one.
func (c *Console) Retry(ctx context.Context, by web.User, id, why string) (web.JobLine, error) {
	if _, err := c.job(ctx, id); err != nil {
		return web.JobLine{}, err
	}
	if err := c.note(ctx, by, "retry", id, why); err != nil {
		return web.JobLine{}, err
	}
	defer c.needs.forget()
	return lineOf(c.Fleet.Retry(ctx, id, by.Name))
}

// lineOf is the answer of calls that give a job; a call that gives none but did
// what it should gives the zero line.
func lineOf(j *jobs.Job, err error) (web.JobLine, error) {
	if err != nil || j == nil {
		return web.JobLine{}, err
	}
	return line(j), nil
}

// Resolve records what became of a step whose outcome is unknown.
func (c *Console) Resolve(ctx context.Context, by web.User, id string, r web.Resolution) (web.JobLine, error) {
	if _, err := c.job(ctx, id); err != nil {
		return web.JobLine{}, err
	}
	if err := c.note(ctx, by, "resolve "+r.Outcome, id, r.Why); err != nil {
		return web.JobLine{}, err
	}
	l, err := lineOf(c.Fleet.Resolve(ctx, id, jobs.Outcome(r.Outcome), by.Name))
	if err == nil && jobs.Outcome(r.Outcome) == jobs.Settled {
		err = c.settle(ctx, id)
	}
	c.needs.forget()
	return l, err
}

// Undo enqueues the jobs that undo a job.
func (c *Console) Undo(ctx context.Context, by web.User, id, why string) ([]string, error) {
	if _, err := c.job(ctx, id); err != nil {
		return nil, err
	}
	if err := c.note(ctx, by, "undo", id, why); err != nil {
		return nil, err
	}
	return c.Fleet.Undo(ctx, id, by.Name)
}

// Answer answers an approval.
func (c *Console) Answer(ctx context.Context, by web.User, id string, a web.Answer) error {
	if _, err := c.job(ctx, id); err != nil {
		return err
	}
	word := "deny"
	if a.Allow {
		word = "allow"
	}
	if err := c.note(ctx, by, "answer "+word, id, a.Why); err != nil {
		return err
	}
	_, err := c.Fleet.Approve(ctx, id, jobs.Answer{Step: a.Step, By: by.Name, Groups: by.Groups, Allow: a.Allow, Why: a.Why, Digest: a.Digest, At: c.Now()})
	return err
}

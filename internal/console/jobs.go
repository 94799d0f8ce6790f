package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/web"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// Jobs implements web.Service.
func (c *Console) Jobs(ctx context.Context, q web.JobQuery) ([]web.JobLine, error) {
	query := jobs.Query{Sensor: q.Sensor, Rule: q.Rule, Limit: q.Limit, Since: q.Since}
	switch q.State {
	case "":
	case "live":
		query.States = []jobs.State{jobs.Held, jobs.Queued, jobs.Parked, jobs.Running}
	case "ended":
		query.States = []jobs.State{jobs.Succeeded, jobs.Failed, jobs.Cancelled, jobs.Expired, jobs.Denied, jobs.Unknown}
	default:
		query.States = []jobs.State{jobs.State(q.State)}
	}
	if query.Since.IsZero() && q.State != "live" {
		query.Since = c.Now().Add(-lately)
	}
	found, err := c.Scheduler.List(ctx, query)
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	lines := make([]web.JobLine, len(found))
	for i, x := range c.Scheduler.Reasons(found) {
		lines[i] = line(x.Job)
		lines[i].Reason, lines[i].Detail = x.Reason, x.Detail
	}
	return lines, nil
}

// line is a job in a list.
func line(j *jobs.Job) web.JobLine {
	l := web.JobLine{
		ID: j.ID, Rule: j.Rule, By: j.Submitter, Sensor: j.Sensor, Host: j.Host, Priority: j.Priority, Mode: j.Mode,
		State: j.State, Reason: j.Reason, Detail: j.Detail, Steps: len(j.Steps), Created: j.Created, Updated: j.Updated, Ended: j.Ended, WakeAt: j.WakeAt,
	}
	done := map[string]bool{}
	for _, r := range j.Done {
		if r.State == jobs.StepOK || r.State == jobs.StepSkipped || r.State == jobs.StepFailed {
			done[r.ID] = true
		}
	}
	l.Done = min(len(done), l.Steps)
	for _, a := range j.Approvals {
		if a.Closed || j.State != jobs.Held {
			continue
		}
		ask := web.Asked{Step: a.Step, Item: a.Item, From: a.From, Need: max(a.Require, 1), Until: a.Until, Else: a.Otherwise}
		for _, s := range j.Steps {
			if s.ID == a.Step {
				ask.Uses, ask.With = s.Uses, s.With
			}
		}
		for _, answer := range a.Answers {
			if answer.Allow {
				ask.Given++
			}
		}
		l.Asks = append(l.Asks, ask)
	}
	return l
}

// Job implements web.Service.
func (c *Console) Job(ctx context.Context, id string) (web.JobPage, error) {
	x, err := c.Scheduler.Explain(ctx, id)
	if err != nil {
		return web.JobPage{}, err
	}
	files, err := c.Files(ctx, artifacts.Filter{Job: id, Since: x.Job.Created.Add(-time.Minute)})
	if err != nil {
		return web.JobPage{}, err
	}
	return web.JobPage{JobLine: line(x.Job), Why: explain(x), Job: x.Job, Artifacts: files}, nil
}

// explain says in a sentence what a job waits for.
func explain(x jobs.Explanation) string {
	text := string(x.Reason)
	if x.Detail != "" {
		text += ": " + x.Detail
	}
	if x.Place > 1 {
		text += fmt.Sprintf("; number %d in its sensor's line, behind job %s", x.Place, x.Behind)
	}
	if !x.Next.IsZero() && !x.Job.State.Terminal() {
		text += "; looked at again at " + x.Next.UTC().Format(time.RFC3339)
	}
	return text
}

// Submit implements web.Service.
func (c *Console) Submit(ctx context.Context, by web.User, r web.Submission) (web.JobLine, error) {
	if err := r.Check(c.Now()); err != nil {
		return web.JobLine{}, errors.Join(web.ErrBadRequest, err)
	}
	j := &jobs.Job{Submitter: by.Name, Sensor: r.Sensor, Steps: r.Steps, Priority: r.Priority, Deadline: r.Deadline}
	if r.DryRun {
		j.Mode = string(admission.Shadow)
	}
	if s, err := c.EDR.Sensor(ctx, r.Sensor); err == nil {
		j.Host = s.Hostname
	} else if errors.Is(err, edr.ErrUnknownSensor) {
		return web.JobLine{}, errors.Join(web.ErrBadRequest, err)
	}
	if _, err := c.Scheduler.Enqueue(ctx, j); err != nil {
		return web.JobLine{}, err
	}
	return line(j), c.note(ctx, by, "submit", j.ID, "")
}

// Cancel implements web.Service. That a job has ended, the person must hear: it
// may have done what was to be kept from happening.
func (c *Console) Cancel(ctx context.Context, by web.User, id, why string) error {
	j, err := c.Scheduler.Get(ctx, id)
	if err != nil {
		return err
	}
	if j.State.Terminal() && j.State != jobs.Cancelled {
		return fmt.Errorf("%w: job %s is %s, there is nothing to cancel", jobs.ErrRefused, id, j.State)
	}
	if err := c.note(ctx, by, "cancel", id, why); err != nil {
		return err
	}
	_, err = c.Scheduler.Cancel(ctx, id, by.Name, why)
	return err
}

// Retry implements web.Service.
func (c *Console) Retry(ctx context.Context, by web.User, id, why string) (web.JobLine, error) {
	if err := c.note(ctx, by, "retry", id, why); err != nil {
		return web.JobLine{}, err
	}
	return lineOf(c.Scheduler.Retry(ctx, id, by.Name))
}

// lineOf is the answer of calls that give a job; a call that gives none but did
// what it should gives the zero line.
func lineOf(j *jobs.Job, err error) (web.JobLine, error) {
	if err != nil || j == nil {
		return web.JobLine{}, err
	}
	return line(j), nil
}

// Resolve implements web.Service.
func (c *Console) Resolve(ctx context.Context, by web.User, id string, r web.Resolution) (web.JobLine, error) {
	if err := c.note(ctx, by, "resolve "+r.Outcome, id, r.Why); err != nil {
		return web.JobLine{}, err
	}
	return lineOf(c.Scheduler.Resolve(ctx, id, jobs.Outcome(r.Outcome), by.Name))
}

// Undo implements web.Service.
func (c *Console) Undo(ctx context.Context, by web.User, id, why string) ([]string, error) {
	if err := c.note(ctx, by, "undo", id, why); err != nil {
		return nil, err
	}
	return c.Scheduler.Undo(ctx, id, by.Name)
}

// Answer implements web.Service.
func (c *Console) Answer(ctx context.Context, by web.User, id string, a web.Answer) error {
	word := "deny"
	if a.Allow {
		word = "allow"
	}
	if err := c.note(ctx, by, "answer "+word, id, a.Why); err != nil {
		return err
	}
	_, err := c.Scheduler.Approve(ctx, id, jobs.Answer{Step: a.Step, By: by.Name, Groups: by.Groups, Allow: a.Allow, Why: a.Why, At: c.Now()})
	return err
}

package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/jobs"
)

func (c *Console) jobRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/jobs", web.Viewer, "Jobs, newest first", func(r *http.Request, _ struct{}) (web.JobsPage, error) {
			q, err := jobQuery(r)
			if err != nil {
				return web.JobsPage{}, err
			}
			return c.Jobs(r.Context(), q)
		}, jobParameters...).ByTenant(),
		web.JSON("POST", "/api/v1/jobs", web.Admin, "Submit a job", func(r *http.Request, in web.Submission) (web.JobLine, error) {
			return c.Submit(r.Context(), web.UserOf(r.Context()), in)
		}).ByTenant(),
		web.JSON("GET", "/api/v1/jobs/{id}", web.Viewer, "A job with its steps and history", func(r *http.Request, _ struct{}) (web.JobPage, error) {
			return c.Job(r.Context(), r.PathValue("id"))
		}).ByTenant(),
		web.JSON("GET", "/api/v1/jobs/{id}/test", web.Viewer, "A job as a test of its rule", func(r *http.Request, _ struct{}) (web.JobTest, error) {
			return c.JobTest(r.Context(), r.PathValue("id"))
		}).ByTenant(),
		web.JSON("POST", "/api/v1/jobs/{id}/cancel", web.Admin, "Cancel a job", func(r *http.Request, in web.Reason) (web.Nothing, error) {
			return web.Nothing{}, c.Cancel(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in.Why)
		}).ByTenant(),
		web.JSON("POST", "/api/v1/jobs/{id}/retry", web.Admin, "Run an ended job again, as a new one", func(r *http.Request, in web.Reason) (web.JobLine, error) {
			return c.Retry(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in.Why)
		}).ByTenant(),
		web.JSON("POST", "/api/v1/jobs/{id}/resolve", web.Admin, "Say what became of a step whose outcome is unknown", func(r *http.Request, in web.Resolution) (web.JobLine, error) {
			return c.Resolve(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in)
		}).ByTenant(),
		web.JSON("POST", "/api/v1/jobs/{id}/undo", web.Admin, "Undo what a job did, where that is possible", func(r *http.Request, in web.Reason) ([]string, error) {
			return c.Undo(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in.Why)
		}).ByTenant(),
		web.JSON("POST", "/api/v1/jobs/{id}/answer", web.Approver, "Answer an approval", func(r *http.Request, in web.Answer) (web.Nothing, error) {
			return web.Nothing{}, c.Answer(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in)
		}).ByTenant(),
	}
}

// Jobs lists a page of the jobs that a query selects, newest first unless it says
// otherwise, and how many there are in all.
func (c *Console) Jobs(ctx context.Context, q web.JobQuery) (web.JobsPage, error) {
	at, err := c.selected(ctx, string(q.Sensor))
	if err != nil {
		return web.JobsPage{}, err
	}
	query := jobs.Query{Endpoint: at, Rule: q.Rule, Since: q.Since, States: states(q.State)}
	if q.State != "live" {
		query.Since = startOf(q.Since, q.Until, c.Now(), lately)
	}
	if q.Limit == 0 {
		q.Limit = web.MaxList
	}
	if inStore(q) && !web.UserOf(ctx).Limited() { // a short part of a long list reads few records
		query.Limit = q.Offset + q.Limit + 1
	}
	part, total, err := c.places(ctx, jobList{query: query, order: q.Sort, offset: q.Offset, limit: q.Limit, fits: func(j *jobs.Job) bool {
		return selects(q, j) && c.sees(ctx, j.Endpoint.Server) && (q.Tenant == "" || c.tenant(j.Endpoint.Server) == q.Tenant)
	}})
	if err != nil {
		return web.JobsPage{}, err
	}
	page := web.JobsPage{Total: total, Since: query.Since}
	if query.Limit > 0 && total >= query.Limit { // those beyond were not counted
		page.Total, page.More = query.Limit, true
	}
	for _, m := range c.members(ctx) {
		page.Servers = append(page.Servers, m.Name)
		if m.Tenant != "" && !slices.Contains(page.Tenants, m.Tenant) {
			page.Tenants = append(page.Tenants, m.Tenant)
		}
	}
	page.Jobs, err = c.lines(ctx, part)
	return page, err
}

// line is a job in a list.
func line(j *jobs.Job) web.JobLine {
	l := web.JobLine{
		ID: j.ID, Rule: j.Rule, By: j.Submitter, Server: j.Endpoint.Server, Sensor: looseid.ID(j.Endpoint.ID), Host: j.Host, Priority: j.Priority, Mode: j.Mode,
		State: j.State, Reason: j.Reason, Detail: j.Detail, Steps: len(j.Steps), Created: j.Created, Updated: j.Updated, Ended: j.Ended, WakeAt: j.WakeAt,
		Story: story(j), Of: j.Of, Undo: j.Undoes(),
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
		ask := web.Asked{About: a.About, Step: a.Step, Item: a.Item, From: a.From, Need: max(a.Require, 1), Until: a.Until, Else: a.Otherwise}
		for _, s := range j.Steps {
			if s.ID == a.Step {
				ask.Uses, ask.With = s.Uses, s.With
			}
		}
		if a.Args != nil || a.Digest != "" {
			ask.With, ask.Evaluated = a.Args, true
		}
		ask.Digest, ask.Unknown = j.Call(a)
		for _, answer := range a.Answers {
			if answer.Allow {
				ask.Given++
			}
		}
		l.Asks = append(l.Asks, ask)
	}
	return l
}

// Job is all there is to know of a job.
func (c *Console) Job(ctx context.Context, id string) (web.JobPage, error) {
	if _, err := c.job(ctx, id); err != nil {
		return web.JobPage{}, err
	}
	x, err := c.Fleet.Explain(ctx, id)
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

package console

import (
	"context"
	"net/http"

	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/directory"
	"edrpipe/pkg/jobs"
)

// Bounds of the page of approvals: what is shown beside each question costs look-ups.
const (
	approvalsShown = 100
	beforeShown    = 5
)

func (c *Console) approvalRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/approvals", web.Viewer, "Open questions to people, oldest first, with what is to be known for an answer", func(r *http.Request, _ struct{}) ([]web.Approval, error) {
			return c.Approvals(r.Context())
		}).ByTenant(),
	}
}

// Approvals lists the held jobs that ask people, with the event, the endpoint's facts
// and what was done there before.
func (c *Console) Approvals(ctx context.Context) ([]web.Approval, error) {
	held, err := c.Fleet.List(ctx, jobs.Query{States: []jobs.State{jobs.Held}})
	if err != nil {
		return nil, err
	}
	all := []web.Approval{}
	for _, j := range held {
		l := line(j)
		if len(l.Asks) == 0 || !c.sees(ctx, j.Endpoint.Server) || len(all) == approvalsShown {
			continue
		}
		a := web.Approval{Job: l, Event: j.Event, Facts: []directory.Fact{}, Replies: map[string][]web.Word{}, Steps: uses(j.Steps)}
		for _, asked := range j.Approvals {
			for _, w := range asked.Answers {
				a.Replies[asked.Step] = append(a.Replies[asked.Step], web.Word{By: w.By, Allow: w.Allow, Why: w.Why, At: w.At})
			}
		}
		if r, ok := c.Rules.Live.Set().Rule(j.Rule); ok {
			a.Title, a.When, a.FalsePositives = r.Title, r.Rule.When, r.FalsePositives
		}
		if x, err := c.Fleet.Member(j.Endpoint.Server).Directory.Explain(ctx, j.Endpoint.ID); err == nil {
			a.Facts, a.Unknown = x.Facts, x.Unknown
		}
		if a.Before, err = c.before(ctx, j); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// uses names the actions of steps, those that run in parallel one after another.
func uses(steps []actions.Step) []string {
	names := []string{}
	for _, s := range steps {
		if s.Uses != "" {
			names = append(names, s.Uses)
		}
		names = append(names, uses(s.Parallel)...)
	}
	return names
}

// before lists the last other jobs on the endpoint of a job.
func (c *Console) before(ctx context.Context, j *jobs.Job) ([]web.JobLine, error) {
	q := jobs.Query{Endpoint: j.Endpoint, Since: c.Now().Add(-unknownBack), Limit: beforeShown + 1}
	page, _, err := c.places(ctx, jobList{query: q, limit: q.Limit})
	if err != nil {
		return nil, err
	}
	lines := []web.JobLine{}
	err = c.eachPlace(ctx, page, func(other *jobs.Job) bool {
		if other.ID != j.ID && len(lines) < beforeShown {
			lines = append(lines, line(other))
		}
		return true
	})
	return lines, err
}

package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/internal/notices"
	"edrpipe/internal/web"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// Event is all there is to know of an event: what it was, which rules matched or which
// clause was false, and what came of it.
func (c *Console) Event(ctx context.Context, id string) (web.EventPage, error) {
	page := web.EventPage{Rules: []web.EventRule{}, Decisions: []web.Decision{}}
	e, err := c.findEvent(ctx, id)
	if errors.Is(err, web.ErrNotFound) {
		if e, err = c.eventOfJobs(ctx, id, err); err == nil {
			page.FromJob = true
		}
	}
	if err != nil {
		return page, err
	}
	page.EventLine, page.Event = c.eventLine(ctx, e), e
	for _, r := range c.Rules.Live.Set().Rules() {
		if r.Names(e) {
			page.Rules = append(page.Rules, c.eventRule(r, e))
		}
	}
	slices.SortStableFunc(page.Rules, func(a, b web.EventRule) int { return cmp.Compare(rank(a), rank(b)) })
	received := cmp.Or(e.Event.Received, e.Event.Time)
	err = c.decisions(ctx, received.Add(-time.Minute), func(d notices.Decision) {
		if d.Event == id {
			page.Decisions = append(page.Decisions, decisionOf(d))
		}
	})
	return page, err
}

// rank puts rules that match first, then those of which it is not known.
func rank(r web.EventRule) int {
	return slices.Index([]string{web.RuleMatches, web.RuleUnclear, web.RuleFails, web.RuleNot, web.RuleOff}, r.Verdict)
}

// eventRule says what a rule in force makes of an event.
func (c *Console) eventRule(r *rules.Rule, e *events.Event) web.EventRule {
	compiled, ok := c.Rules.Live.Set().Rule(r.ID)
	if !ok { // another set is in force by now
		return web.EventRule{ID: r.ID, Title: r.Title, Verdict: web.RuleOff}
	}
	x := compiled.Explain(e)
	out := web.EventRule{ID: r.ID, Title: r.Title, When: r.When, Verdict: web.RuleNot, Reasons: x.Reasons()}
	switch {
	case !r.Enabled:
		out.Verdict = web.RuleOff
	case x.Condition != nil && x.Condition.Missing != 0:
		out.Verdict = web.RuleUnclear
	case x.Err != nil:
		out.Verdict = web.RuleFails
	case x.Holds:
		out.Verdict = web.RuleMatches
	}
	return out
}

// eventOfJobs finds an event that the bus no longer has in the records of its jobs.
func (c *Console) eventOfJobs(ctx context.Context, id string, notFound error) (*events.Event, error) {
	var job string
	err := c.Fleet.Each(ctx, jobs.Query{Since: c.Now().Add(-unknownBack)}, func(j *jobs.Job) {
		if j.Event != nil && j.Event.Event.ID == id && c.sees(ctx, j.Endpoint.Server) {
			job = j.ID
		}
	}, func() bool { return job != "" })
	if err != nil {
		return nil, err
	}
	if job == "" {
		return nil, notFound
	}
	whole, err := c.Fleet.Get(ctx, job) // a list has it shortened
	if err != nil {
		return nil, err
	}
	return whole.Event, nil
}

// findEvent looks for an event on the bus: among the last, then among all. Events are
// not indexed by id: no rule matches most of them, and such an event shall cost nothing.
func (c *Console) findEvent(ctx context.Context, id string) (*events.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	for _, since := range []time.Time{c.Now().Add(-eventsBack), {}} {
		var found *events.Event
		_, err := c.eachEvent(ctx, since, func(e *events.Event) bool {
			if e.Event.ID == id && c.seesEvent(ctx, e) {
				found = e
			}
			return found == nil
		})
		if err != nil || found != nil {
			return found, err
		}
	}
	return nil, &noEvent{id, ctx.Err() != nil}
}

// noEvent is the error for what is neither a job, nor a host, nor an event.
type noEvent struct {
	id  string
	cut bool // not all of the bus could be read in time
}

func (e *noEvent) Error() string {
	text := e.id + " is no job, no host of the EDR server, and no event that the bus still has"
	if e.cut {
		text += fmt.Sprintf(", as far as it could be read in %v", searchFor)
	}
	return text
}

func (*noEvent) Unwrap() error { return web.ErrNotFound }

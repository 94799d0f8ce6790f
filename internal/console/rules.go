package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"edrpipe/internal/web"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

func (c *Console) rulesRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/rules", web.Viewer, "Rules in force", func(r *http.Request, _ struct{}) (web.RulesPage, error) { return c.RulesPage(r.Context()) }),
		web.JSON("GET", "/api/v1/rules/{id}", web.Viewer, "A rule in force: text, matches over a day, warnings, tests, jobs", func(r *http.Request, _ struct{}) (web.RulePage, error) {
			return c.RulePage(r.Context(), r.PathValue("id"))
		}),
		web.JSON("POST", "/api/v1/rules/{id}/reset", web.Approver, "Close the breaker of a rule: it acts again", func(r *http.Request, in web.Reason) (web.Nothing, error) {
			return web.Nothing{}, c.ResetBreaker(r.Context(), web.UserOf(r.Context()), r.PathValue("id"), in.Why)
		}),
	}
}

// ResetBreaker closes the breaker of a rule. Who and why is in the audit log.
func (c *Console) ResetBreaker(ctx context.Context, by web.User, rule, why string) error {
	_, known := c.Rules.Live.Set().Rule(rule)
	err := c.Guard.Reset(ctx, rule, by.Name, why)
	switch {
	case errors.Is(err, guard.ErrClosed) && !known:
		return fmt.Errorf("%w: there is no rule %q", web.ErrNotFound, rule)
	case errors.Is(err, guard.ErrClosed):
		return fmt.Errorf("%w: %w: there is nothing to reset", jobs.ErrRefused, err)
	}
	c.needs.forget()
	return err
}

// RulesPage lists the rules in force.
func (c *Console) RulesPage(ctx context.Context) (web.RulesPage, error) {
	st := c.Rules.Live.State()
	set := c.Rules.Live.Set()
	page := web.RulesPage{Loaded: st.Loaded, Digest: st.Digest, Rules: []web.RuleLine{}}
	if st.Rejected != nil {
		page.Error = st.Rejected.Problems.Error()
	}
	always := map[string]string{}
	for _, u := range set.Unindexed() {
		always[u.Rule.ID] = u.Why
	}
	matches, failures := ByLabel(c.Metrics.Matches, "rule"), ByLabel(c.Metrics.Errors, "rule")
	for _, r := range set.Rules() {
		l := web.RuleLine{
			ID: r.ID, Title: r.Title, Severity: r.Severity, Mode: string(r.Mode), Enabled: r.Enabled, On: r.On, When: r.When, Tags: r.Tags,
			File: r.File, Line: r.Line, Matches: matches[r.ID], Errors: failures[r.ID], LastMatch: c.Rules.LastMatch(r.ID), Everybody: always[r.ID],
		}
		for _, s := range r.Steps {
			l.Steps = append(l.Steps, s.Uses)
		}
		open, _, err := c.Guard.Open(ctx, r.ID)
		if err != nil {
			return page, err
		}
		if open != nil {
			l.Breaker = open.Why
		}
		page.Rules = append(page.Rules, l)
	}
	return page, nil
}

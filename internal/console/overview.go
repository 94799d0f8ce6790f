package console

import (
	"cmp"
	"context"
	"slices"

	"edrpipe/internal/web"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// Overview implements web.Service.
func (c *Console) Overview(ctx context.Context) (web.Overview, error) {
	st := c.Scheduler.Stats()
	o := web.Overview{
		Now: c.Now(), Version: c.Version, Server: c.Server, Checks: c.Checks(ctx), Jobs: st.Jobs,
		Ended: c.history.ended(), Rules: c.Config.Rules.Live.Set().Len(), EventRate: c.history.rate(), History: c.history.last(),
		Slots: web.Slots{Limit: st.Limit, Foreign: st.Foreign, Claims: []web.SlotClaim{}},
	}
	o.TopRules = topRules(ByLabel(c.Metrics.Matches, "rule"))
	if r := c.Config.Rules.Live.State().Rejected; r != nil {
		o.RulesError = r.Problems.Error()
	}
	for sensor, claim := range st.Claims {
		if !claim.Slot {
			continue
		}
		line := web.SlotClaim{Sensor: sensor, Session: claim.Session, Job: claim.Job, Owner: claim.Owner}
		if info, _, ok := c.Scheduler.Sensor(sensor); ok {
			line.Host = info.Hostname
		}
		o.Slots.Claims = append(o.Slots.Claims, line)
	}
	if st.Waiting[jobs.ReasonApproval] > 0 {
		held, err := c.Scheduler.List(ctx, jobs.Query{States: []jobs.State{jobs.Held}, Limit: web.MaxList})
		if err != nil {
			return o, err
		}
		for _, j := range held {
			o.Approvals += len(line(j).Asks)
		}
	}
	s, err := c.Guard.Status(ctx)
	if err != nil {
		return o, err
	}
	o.Stopped, o.DryRun = stopped(s.Stopped), s.DryRun != nil
	return o, nil
}

// topRules are the ten rules that match most.
func topRules(matches map[string]float64) []web.RuleCount {
	top := []web.RuleCount{}
	for rule, n := range matches {
		top = append(top, web.RuleCount{Rule: rule, Matches: n})
	}
	slices.SortFunc(top, func(a, b web.RuleCount) int {
		return cmp.Or(cmp.Compare(b.Matches, a.Matches), cmp.Compare(a.Rule, b.Rule))
	})
	return top[:min(10, len(top))]
}

func stopped(s *guard.Switch) *web.Stopped {
	if s == nil {
		return nil
	}
	return &web.Stopped{By: s.By, Why: s.Why, At: s.At}
}

// Rules implements web.Service.
func (c *Console) Rules(ctx context.Context) (web.RulesPage, error) {
	st := c.Config.Rules.Live.State()
	set := c.Config.Rules.Live.Set()
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
			File: r.File, Line: r.Line, Matches: matches[r.ID], Errors: failures[r.ID], LastMatch: c.Config.Rules.LastMatch(r.ID), Everybody: always[r.ID],
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

// Guards implements web.Service.
func (c *Console) Guards(ctx context.Context) (web.GuardsPage, error) {
	s, err := c.Guard.Status(ctx)
	if err != nil {
		return web.GuardsPage{}, err
	}
	page := web.GuardsPage{
		Stopped: stopped(s.Stopped), DryRun: s.DryRun != nil, File: c.GuardsFile, Guards: append([]string{}, c.Guard.Policy().Words()...),
		Budgets: []web.Budget{}, Silences: []web.Silence{},
	}
	for _, b := range s.Budgets {
		page.Budgets = append(page.Budgets, web.Budget{Name: b.Name, Used: b.Used, Limit: b.Limit, Resets: b.Frees})
	}
	for _, x := range s.Silences {
		page.Silences = append(page.Silences, web.Silence{ID: x.ID, Rule: x.Rule, Sensor: x.Sensor, Action: x.Action, Author: x.Author, Comment: x.Comment, Until: x.Expires})
	}
	return page, nil
}

// Stop implements web.Service.
func (c *Console) Stop(ctx context.Context, by web.User, why string) error {
	return c.Guard.Stop(ctx, by.Name, why)
}

// Resume implements web.Service.
func (c *Console) Resume(ctx context.Context, by web.User, why string) error {
	return c.Guard.Resume(ctx, by.Name, why)
}

// Silence implements web.Service.
func (c *Console) Silence(ctx context.Context, by web.User, s web.Silence) (web.Silence, error) {
	s.ID, s.Author = jobs.NewID()[:8], by.Name
	err := c.Guard.AddSilence(ctx, guard.Silence{ID: s.ID, Rule: s.Rule, Sensor: s.Sensor, Action: s.Action, Author: by.Name, Comment: s.Comment, Expires: s.Until})
	return s, err
}

// Unsilence implements web.Service.
func (c *Console) Unsilence(ctx context.Context, by web.User, id string) error {
	return c.Guard.RemoveSilence(ctx, id, by.Name)
}

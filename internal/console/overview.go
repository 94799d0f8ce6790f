package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"edrpipe/internal/looseid"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

func (c *Console) overviewRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/overview", web.Viewer, "The state of everything", func(r *http.Request, _ struct{}) (web.Overview, error) {
			o, err := c.Overview(r.Context())
			if err == nil && web.UserOf(r.Context()).Limited() {
				o = c.limited(r.Context(), o)
			}
			return o, err
		}).ByTenant(),
	}
}

// Overview is the first page.
func (c *Console) Overview(ctx context.Context) (web.Overview, error) {
	st := c.Fleet.Stats()
	o := web.Overview{
		Now: c.Now(), Version: c.Version, Server: c.Fleet.Title(), Checks: c.Checks(ctx), Jobs: st.Jobs,
		Ended: c.history.ended(), Rules: c.Rules.Live.Set().Len(), EventRate: c.history.rate(), History: c.history.last(),
		Slots: web.Slots{Limit: st.Limit, Foreign: st.Foreign, Claims: []web.SlotClaim{}},
	}
	o.TopRules = topRules(ByLabel(c.Metrics.Matches, "rule"))
	if r := c.Rules.Live.State().Rejected; r != nil {
		o.RulesError = r.Problems.Error()
	}
	for sensor, claim := range st.Claims {
		if !claim.Slot {
			continue
		}
		line := web.SlotClaim{Server: sensor.Server, Sensor: looseid.ID(sensor.ID), Session: claim.Session, Job: claim.Job, Owner: claim.Owner}
		if info, ok := c.Fleet.Sensor(sensor); ok {
			line.Host = info.Hostname
		}
		o.Slots.Claims = append(o.Slots.Claims, line)
	}
	if st.Waiting[jobs.ReasonApproval] > 0 {
		held, err := c.Fleet.List(ctx, jobs.Query{States: []jobs.State{jobs.Held}, Limit: web.MaxList})
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
	o.Needs, err = c.Needs(ctx, o)
	return o, err
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

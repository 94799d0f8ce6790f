package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"edrpipe/internal/fleet"
	"edrpipe/internal/web"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// members lists the servers that the user of the request may see; those of all tenants
// where no user asks, but the service itself.
func (c *Console) members(ctx context.Context) []*fleet.Member {
	u := web.UserOf(ctx)
	return slices.DeleteFunc(slices.Clone(c.Fleet.Members()), func(m *fleet.Member) bool { return !u.Sees(m.Tenant) })
}

// sees reports whether the user of the request may see what is of a server. A server
// that is not configured has no tenant.
func (c *Console) sees(ctx context.Context, server string) bool {
	return web.UserOf(ctx).Sees(c.tenant(server))
}

// tenant is that of a server, empty where it has none or is not configured.
func (c *Console) tenant(server string) string {
	if m := c.Fleet.Member(server); m != nil {
		return m.Tenant
	}
	return ""
}

// seesEvent reports whether the user of the request may see an event.
func (c *Console) seesEvent(ctx context.Context, e *events.Event) bool {
	m, err := c.Fleet.Of(e)
	if err != nil {
		return !web.UserOf(ctx).Limited()
	}
	return web.UserOf(ctx).Sees(m.Tenant)
}

// job returns a job that the user of the request may see. Others are not there, for
// that user.
func (c *Console) job(ctx context.Context, id string) (*jobs.Job, error) {
	j, err := c.Fleet.Get(ctx, id)
	if err == nil && !c.sees(ctx, j.Endpoint.Server) {
		return nil, fmt.Errorf("job %s: %w", id, jobs.ErrNoJob)
	}
	return j, err
}

// shown passes on the notices that the user of the request may see. Each names its
// server as its source.
func (c *Console) shown(ctx context.Context, see func(string, []byte)) func(string, []byte) {
	if !web.UserOf(ctx).Limited() {
		return see
	}
	return func(subject string, body []byte) {
		var n struct {
			Source string `json:"source"`
		}
		if json.Unmarshal(body, &n) != nil {
			return
		}
		if server, ok := strings.CutPrefix(n.Source, "edrpipe/"); ok && c.sees(ctx, server) {
			see(subject, body)
		}
	}
}

// within leaves the switches that hold for a server.
func within(all []web.Stopped, m *fleet.Member) (own []web.Stopped) {
	for _, s := range all {
		if s.Server == m.Name || s.Tenant != "" && s.Tenant == m.Tenant {
			own = append(own, s)
		}
	}
	return own
}

// limited leaves in an overview what is of the tenants of the user of the request.
func (c *Console) limited(ctx context.Context, o web.Overview) web.Overview {
	members := c.members(ctx)
	names := make([]string, len(members))
	own := web.Overview{
		Now: o.Now, Version: o.Version, DryRun: o.DryRun, Stopped: o.Stopped, Needs: []web.Need{}, Jobs: map[jobs.State]int{}, Ended: map[jobs.State]float64{},
		TopRules: []web.RuleCount{}, Slots: web.Slots{Claims: []web.SlotClaim{}},
	}
	for i, m := range members {
		names[i] = m.Name
		own.Stops = append(own.Stops, within(o.Stops, m)...)
		own.DryRuns = append(own.DryRuns, within(o.DryRuns, m)...)
		st := m.Scheduler.Stats()
		for state, n := range st.Jobs {
			own.Jobs[state] += n
		}
		own.Slots.Limit, own.Slots.Foreign = own.Slots.Limit+st.Limit, own.Slots.Foreign+st.Foreign
		own.Checks = append(own.Checks, m.Check())
	}
	own.Server = strings.Join(names, ", ")
	for _, claim := range o.Slots.Claims {
		if slices.Contains(names, claim.Server) {
			own.Slots.Claims = append(own.Slots.Claims, claim)
		}
	}
	return own
}

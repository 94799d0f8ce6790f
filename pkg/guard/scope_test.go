package guard

import (
	"context"
	"testing"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

const scopedGuards = `
protected:
  - { name: plant, servers: plant, sensors: "true", deny: [isolate] }
approvals:
  - { name: acme, tenants: acme, actions: [run] }
budgets:
  - { name: each, each: server, actions: [get_file], sensors: 1, per: 1h }
  - { name: servers, where: 'sensor.type == "server"', actions: [kill_process], sensors: 1, per: 1h }
  - { name: tenants, each: tenant, actions: [publish], sensors: 1, per: 1h }
hours:
  - { name: nights, sensors: 'sensor.type == "server"', actions: [list_processes], from: "22:00", to: "22:01" }
`

// TestScopes: guards that name servers, tenants or sensors hold for those only, and
// count as if they applied where that cannot be told.
func TestScopes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action, server, typ, tenant string
		before                      []edr.Endpoint // that the action was done on
		want                        admission.Decision
		why                         Reason
	}{
		"a server that is named":             {action: "isolate", server: "plant", want: admission.Deny, why: Protected},
		"another server":                     {action: "isolate", server: "hq", want: admission.Allow},
		"a tenant that is named":             {action: "run", tenant: "acme", want: admission.Hold, why: Unapproved},
		"another tenant":                     {action: "run", tenant: "globex", want: admission.Allow},
		"a tenant that is not known":         {action: "run", want: admission.Hold, why: UnknownFact},
		"hours of servers, on one":           {action: "list_processes", typ: "server", want: admission.Hold, why: Hours},
		"hours of servers, on a workstation": {action: "list_processes", typ: "workstation", want: admission.Allow},
		"hours of servers, on who knows":     {action: "list_processes", want: admission.Hold, why: UnknownFact},
		"a budget of servers, used up":       {action: "kill_process", typ: "server", before: []edr.Endpoint{{Server: "hq", ID: "2"}}, want: admission.Hold, why: Budget},
		"a budget of servers, not for it":    {action: "kill_process", typ: "workstation", want: admission.Allow},
		"a budget of servers, who knows":     {action: "kill_process", want: admission.Hold, why: UnknownFact},
		"the server's budget is used up":     {action: "get_file", server: "hq", before: []edr.Endpoint{{Server: "hq", ID: "2"}}, want: admission.Hold, why: Budget},
		"another server's budget":            {action: "get_file", server: "plant", before: []edr.Endpoint{{Server: "hq", ID: "2"}}, want: admission.Allow},
		"the same id on another server":      {action: "get_file", server: "plant", before: []edr.Endpoint{{Server: "hq", ID: "1"}, {Server: "plant", ID: "2"}}, want: admission.Hold, why: Budget},
		"a tenant's budget, who knows":       {action: "publish", want: admission.Hold, why: UnknownFact},
	} {
		facts := func(_ context.Context, e edr.Endpoint, _ edr.Sensor, s *events.Sensor) {
			s.Type, s.Tenant = c.typ, c.tenant
			if e.ID == "2" {
				s.Type, s.Tenant = "server", "acme"
			}
		}
		g := New(Config{Policy: load(t, scopedGuards), Facts: facts, Now: at(monday)})
		ask := func(e edr.Endpoint) admission.Verdict {
			a := isolate(1, "")
			a.Action, a.Endpoint, a.Sensor, a.Job = c.action, e, edr.Sensor{ID: e.ID}, "job of "+e.String()
			return g.Admit(t.Context(), a)
		}
		for _, e := range c.before {
			if v := ask(e); v.Decision != admission.Allow {
				t.Errorf("%s: before, on %s: %+v", name, e, v)
			}
		}
		if v := ask(edr.Endpoint{Server: c.server, ID: "1"}); v.Decision != c.want || v.Reason != c.why {
			t.Errorf("%s: got %+v, want %q %q", name, v, c.want, c.why)
		}
	}
}

// TestSilencesAreOfEndpoints: a silence of an endpoint is not one of the same id on
// another server; an old one has the id alone and holds for every server.
func TestSilencesAreOfEndpoints(t *testing.T) {
	t.Parallel()
	tenants := func(_ context.Context, e edr.Endpoint, _ edr.Sensor, s *events.Sensor) {
		if e.Server == "plant" {
			s.Tenant = "acme"
		} else if e.Server == "hq" {
			s.Tenant = "globex"
		}
	}
	for name, c := range map[string]struct {
		silence Silence
		on      map[string]bool // server to silenced
	}{
		"of an endpoint": {Silence{Sensor: "hq/1"}, map[string]bool{"hq": true, "plant": false}},
		"of an old id":   {Silence{Sensor: "1"}, map[string]bool{"hq": true, "plant": true}},
		"of a server":    {Silence{Server: "hq"}, map[string]bool{"hq": true, "plant": false}},
		"of a tenant":    {Silence{Tenant: "acme"}, map[string]bool{"hq": false, "plant": true, "nobody's": true}},
	} {
		g := New(Config{Facts: tenants, Now: at(monday)})
		c.silence.ID, c.silence.Author, c.silence.Comment, c.silence.Expires = "s1", "ann", "test", at(monday)().Add(time.Hour)
		if err := g.AddSilence(t.Context(), c.silence); err != nil {
			t.Fatal(err)
		}
		for server, silenced := range c.on {
			a := isolate(1, "")
			a.Endpoint = edr.Endpoint{Server: server, ID: "1"}
			if v := g.Admit(t.Context(), a); (v.Reason == Silenced) != silenced {
				t.Errorf("%s, on %s: %+v", name, server, v)
			}
		}
	}
}

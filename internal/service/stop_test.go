package service

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/health"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// TestAStopOfOneServerOrTenant holds the jobs there, is told with its place, and lets the
// others go on.
func TestAStopOfOneServerOrTenant(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]web.Switching{"server hq": {Server: "hq", Why: "it is replaced"}, "tenant acme": {Tenant: "acme", Why: "it is replaced"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sims := map[string]*edrsim.Server{"hq": fleetOf(t, 2), "branch": fleetOf(t, 2)}
			r := newServersPlace(t, sims, listProcesses, map[string]string{"hq": ", tenant: acme", "branch": ", tenant: other"}, "").run()
			ada := web.User{Name: "ada", Role: web.Approver}
			c := r.Service.console
			if err := c.Stop(t.Context(), ada, in); err != nil {
				t.Fatal(err)
			}
			await(t, 20*time.Second, "the stop", func() bool {
				k := r.check("stop")
				return k.State == health.Degraded && strings.Contains(k.Evidence, name+" is stopped by ada: it is replaced")
			})
			held, other := r.ask("hq/1", "list_processes"), r.ask("branch/1", "list_processes")
			await(t, 20*time.Second, "the other server's job", func() bool { return r.state(other) == jobs.Succeeded })
			if x, err := r.fleet.Explain(t.Context(), held); err != nil || x.Job.State.Terminal() || !strings.Contains(x.Detail, name+" by ada") {
				t.Errorf("the job is %s and waits for %s: %s (%v)", x.Job.State, x.Reason, x.Detail, err)
			}
			if n := sims["hq"].Counters().Sessions.Opened; n != 0 {
				t.Errorf("%d sessions on the stopped server", n)
			}
			o, err := c.Overview(t.Context(), 1)
			if err != nil || o.Stopped != nil || len(o.Stops) != 1 || len(o.Needs) == 0 || !strings.Contains(o.Needs[0].Text, "ada stopped "+name) {
				t.Errorf("overview: %+v, %+v, %+v, %v", o.Stopped, o.Stops, o.Needs, err)
			}
			if err := c.Resume(t.Context(), ada, web.Switching{}); err != nil {
				t.Error(err)
			}
			if err := c.Resume(t.Context(), ada, in); err != nil {
				t.Error(err)
			}
			await(t, 20*time.Second, "the held job", func() bool { return r.state(held) == jobs.Succeeded })
			if err := c.Stop(t.Context(), ada, web.Switching{Server: "hp"}); err == nil || !strings.Contains(err.Error(), `did you mean "hq"?`) {
				t.Errorf("a stop of a server that there is not: %v", err)
			}
		})
	}
}

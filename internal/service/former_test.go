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

// TestJobsOfAServerThatIsNotConfiguredAnyMore are listed, told why they wait, can be
// cancelled, and go on when the server is configured again.
func TestJobsOfAServerThatIsNotConfiguredAnyMore(t *testing.T) {
	t.Parallel()
	hq, branch := fleetOf(t, 2), fleetOf(t, 2)
	p := newServersPlace(t, map[string]*edrsim.Server{"hq": hq, "branch": branch}, listProcesses, nil, "")
	both := p.read("pipeline.yaml")
	var one strings.Builder
	for line := range strings.Lines(both) {
		if !strings.Contains(line, "name: branch") {
			one.WriteString(line)
		}
	}
	ada := web.User{Name: "ada", Role: web.Admin}
	var kept, dropped string
	t.Run("configured", func(t *testing.T) {
		r := p.on(t).run()
		if err := r.Service.console.Stop(t.Context(), ada, web.Switching{Server: "branch"}); err != nil {
			t.Fatal(err)
		}
		await(t, 20*time.Second, "the stop", func() bool { return r.check("stop").State == health.Degraded })
		kept, dropped = r.ask("branch/1", "list_processes"), r.ask("branch/2", "list_processes")
	})
	t.Run("not configured", func(t *testing.T) {
		p.write("pipeline.yaml", one.String())
		r := p.on(t).run()
		await(t, 20*time.Second, "the check", func() bool {
			c := r.check("edr/branch")
			return c.State == health.Degraded && strings.Contains(c.Evidence, "2 jobs are of the server branch") && strings.Contains(c.Cure, "cancel")
		})
		if all := r.jobs("live"); len(all) != 2 {
			t.Errorf("listed are %+v", all)
		}
		if err := r.Service.console.Resume(t.Context(), ada, web.Switching{Server: "branch"}); err != nil {
			t.Fatal(err)
		}
		await(t, 20*time.Second, "the end of the stop", func() bool { return r.check("stop").State == health.OK })
		if x, err := r.fleet.Explain(t.Context(), kept); err != nil || x.Reason != jobs.ReasonServer || !strings.Contains(x.Detail, `no server named "branch" is configured any more`) {
			t.Errorf("the job waits for %s: %s (%v)", x.Reason, x.Detail, err)
		}
		if err := r.Service.console.Cancel(t.Context(), ada, dropped, "the server is gone"); err != nil {
			t.Fatal(err)
		}
		await(t, 20*time.Second, "the cancelled job", func() bool { return r.state(dropped) == jobs.Cancelled })
		other := r.ask("hq/1", "list_processes")
		await(t, 20*time.Second, "the other server's job", func() bool { return r.state(other) == jobs.Succeeded })
		if _, err := r.Service.console.Submit(t.Context(), ada, web.Submission{Sensor: "branch/1"}); err == nil {
			t.Error("a new job is taken")
		}
	})
	t.Run("configured again", func(t *testing.T) {
		p.write("pipeline.yaml", both)
		r := p.on(t).run()
		await(t, 30*time.Second, "the job", func() bool { return r.state(kept) == jobs.Succeeded })
		if n := branch.Counters().Sessions.Opened; n != 1 {
			t.Errorf("%d sessions on the server, want that of the kept job", n)
		}
	})
}

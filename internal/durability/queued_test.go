package durability

import (
	"context"
	"testing"

	"edrpipe/internal/testproc"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
)

// TestKilledWithJobsQueued kills the service while many jobs are queued and some
// run. Afterwards every job ends, no change of an endpoint happened twice, and a clean
// stop closes all sessions.
func TestKilledWithJobsQueued(t *testing.T) {
	t.Parallel()
	const queued = 200
	crashes := []int{20, 120} // after so many commands
	p := newPlace(t, route{}, "", 1)
	v := testproc.Service(t, p.dir+"/pipeline.yaml")
	start(t, v)
	sendHTTP(t.Context(), t, p, queued)
	b := p.connect(t)
	commands := func(context.Context, *bus.Bus) (int, error) { return int(p.sim.Counters().Commands), nil }
	for _, after := range crashes {
		await(t, b, "commands have run", after, commands)
		kill(t, v)
		start(t, v)
	}
	await(t, b, "jobs have ended", queued, ended)
	stop(t, v)
	f := p.find(t, false)
	t.Logf("outcomes: %v", f.states)
	p.check(t, f, queued)
	if most := len(crashes) * sensors; f.states[jobs.Unknown] > most {
		t.Errorf("%d jobs are unknown, and %d crashes can have hit %d at most", f.states[jobs.Unknown], len(crashes), most)
	}
	p.checkEndpoints(t, f.states)
	if open := p.sim.Counters().Sessions.Open; open != 0 {
		t.Errorf("%d sessions are left open after a clean stop", open)
	}
}

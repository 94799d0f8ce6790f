package service

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/console"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const pendingRules = `
rules:
  - id: servers
    on: process_start
    when: sensor.group == "Servers"
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
  - id: hurried
    on: process_start
    max_age: 15s
    when: sensor.group == "Servers"
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
`

// jobOf is the job of a rule on a sensor.
func (r running) jobOf(rule, sensor string) web.JobLine {
	r.t.Helper()
	for _, j := range r.jobs("") {
		if j.Rule == rule && string(j.Sensor) == sensor {
			return j
		}
	}
	return web.JobLine{}
}

// TestAMatchWaitsForAFactAsAJob: while the server does not answer, a match that hangs on
// what it could tell is a held job. It survives a restart, and is decided when the
// record arrives; after the rule's max_age it counts as unknown.
func TestAMatchWaitsForAFactAsAJob(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: []edrsim.SensorSpec{{Group: "Servers"}, {Group: "Office"}}}).Start()
	t.Cleanup(sim.Close)
	if err := sim.SetFaults(edrsim.Faults{"500": 1}); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, sim, pendingRules, "")
	t.Run("held", func(t *testing.T) {
		r := p.on(t).run()
		r.publish(start(1, 7), start(2, 8))
		for _, sensor := range []string{"1", "2"} {
			await(t, 20*time.Second, "the held job of sensor "+sensor, func() bool { return r.jobOf("servers", sensor).Reason == jobs.ReasonFactPending })
			if j := r.jobOf("servers", sensor); j.State != jobs.Held || !strings.Contains(j.Detail, "sensor.group") || !strings.Contains(j.Detail, "sim") {
				t.Errorf("sensor %s: %+v", sensor, j)
			}
		}
		await(t, time.Minute, "the end of max_age", func() bool { return r.jobOf("hurried", "1").State == jobs.Expired })
		if j := r.jobOf("hurried", "1"); j.Reason != jobs.ReasonUnknownFact || !strings.Contains(j.Detail, "sensor.group is not known") {
			t.Errorf("after max_age: %+v", j)
		}
		if n := console.ByLabel(r.metrics.Decisions, "reason")["fact_pending"]; n < 4 {
			t.Errorf("%v decisions are counted as fact_pending", n)
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		r := p.on(t).run()
		await(t, 20*time.Second, "both jobs", func() bool {
			return r.jobOf("servers", "1").State == jobs.Held && r.jobOf("servers", "2").State == jobs.Held
		})
		if err := sim.SetFaults(edrsim.Faults{}); err != nil {
			t.Fatal(err)
		}
		await(t, 90*time.Second, "the match", func() bool { return r.jobOf("servers", "1").State == jobs.Succeeded })
		await(t, 20*time.Second, "no match", func() bool { return r.jobOf("servers", "2").State == jobs.Skipped })
		if got := r.jobOf("servers", "2"); got.Reason != jobs.ReasonCondition {
			t.Errorf("of the other group: %+v", got)
		}
		if n := len(r.dead()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

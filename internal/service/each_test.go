package service

import (
	"fmt"
	"testing"
	"time"

	"edrpipe/internal/console"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

const eachRules = `
rules:
  - { id: servers, on: alert, when: 'alert.severity > 50 && sensor.type == "server"', sensors: { each: true }, suppress: { key: [sensor.id, alert.id] }, steps: [ { uses: list_processes } ] }
  - { id: all, on: alert, when: alert.severity > 50, sensors: { each: true }, suppress: { key: [sensor.id, alert.id] }, steps: [ { uses: list_processes, if: 'sensor.type == "server"' } ] }
  - { id: one, on: alert, when: alert.severity > 50, steps: [ { uses: list_processes } ] }
`

// binaryAlert is an alert about a binary that several hosts have, as the server sends it.
func binaryAlert(id, host, others string) string {
	return fmt.Sprintf(`{"type":"alert.watchlist.hit.query.binary","unique_id":%q,"alert_severity":90,"md5":"0123456789ABCDEF0123456789ABCDEF","hostname":%q,"other_hostnames":[%s],"host_count":"2","created_time":%q,"cb_server":"sim"}`,
		id, host, others, time.Now().UTC().Format(time.RFC3339))
}

// TestAnAlertOfSeveralHosts: a rule that acts on each is asked about each with the facts
// of that one, also where they are read later; a host without a sensor has its reason; a
// rule that does not say each makes no job, not even on the first.
func TestAnAlertOfSeveralHosts(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{CheckIn: 20 * time.Millisecond, Fleet: []edrsim.SensorSpec{
		{}, {System: "Windows Server 2019 Standard, 64-bit"}, {System: "Windows Server 2019 Standard, 64-bit"},
	}}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, eachRules, "").run()
	await(t, 20*time.Second, "the directory", r.members[0].Directory.Whole)
	r.publish(binaryAlert("a1", "WKS-0001", `"WKS-0002","wks-0003","nowhere"`))
	for _, want := range []struct {
		rule, sensor string
		state        jobs.State
	}{
		{"servers", "2", jobs.Succeeded}, {"servers", "3", jobs.Succeeded},
		{"all", "2", jobs.Succeeded}, {"all", "3", jobs.Succeeded}, {"all", "1", jobs.Skipped},
	} {
		await(t, 30*time.Second, fmt.Sprintf("%+v", want), func() bool { return r.jobOf(want.rule, want.sensor).State == want.state })
	}
	for rule, sensor := range map[string]string{"servers": "1", "one": "1"} {
		if j := r.jobOf(rule, sensor); j.ID != "" {
			t.Errorf("%s made %+v", rule, j)
		}
	}
	if n := len(r.jobs("")); n != 5 {
		t.Errorf("%d jobs, want 5", n)
	}
	for reason, want := range map[string]float64{rules.SeveralSensors: 1, rules.NoSensor: 1} {
		if got := console.ByLabel(r.metrics.Decisions, "reason")[reason]; got != want {
			t.Errorf("%v decisions are counted as %s, want %v", got, reason, want)
		}
	}
}

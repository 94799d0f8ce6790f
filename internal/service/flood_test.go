package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/console"
	"edrpipe/internal/health"
	"edrpipe/internal/intake"
	"edrpipe/internal/web"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// chosenKeys are rules whose keys an endpoint can make up.
const chosenKeys = `
rules:
  - id: list
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [process.guid], for: 1h }
    steps: [ { uses: list_processes } ]
  - id: burst
    on: process_start
    when: process.name == "evil.exe"
    correlate: { type: event_count, gte: 2, group_by: [sensor.id, process.guid], timespan: 1h }
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
`

// of counts the jobs of a rule on a sensor, by state.
func (r running) of(rule, sensor string) (ended, held int) {
	r.t.Helper()
	for _, j := range r.jobs("") {
		if j.Rule != rule || string(j.Sensor) != sensor {
			continue
		}
		switch j.State {
		case jobs.Held:
			held++
		case jobs.Succeeded:
			ended++
		}
	}
	return ended, held
}

// decided waits until so many matches were refused for a reason.
func (r running) decided(reason string, n float64) {
	r.t.Helper()
	await(r.t, 20*time.Second, fmt.Sprintf("%v refused as %s", n, reason), func() bool {
		return console.ByLabel(r.metrics.Decisions, "reason")[reason] >= n
	})
}

// whyOf is what is known of an event.
func (r running) whyOf(line string) string {
	r.t.Helper()
	why, err := r.Service.console.Why(r.t.Context(), findID(r.t, line), web.EventQuery{})
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprint(why.Lines)
}

// again is the same process in a second event.
func again(sensor, pid int) string {
	return strings.Replace(start(sensor, pid), `"event_type"`, `"again":1,"event_type"`, 1)
}

// TestAFloodOfOneEndpoint with keys of its choice uses up its own share, which is to be
// seen; jobs, suppression and correlation of another endpoint are as before, also after
// a restart.
func TestAFloodOfOneEndpoint(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, chosenKeys, "limits: { share: 3 }\n")
	t.Run("flood", func(t *testing.T) {
		r := p.on(t).run()
		last := ""
		for pid := range 8 {
			last = start(1, 100+pid)
			r.publish(last)
		}
		r.decided(intake.SuppressionFull, 4)
		r.decided(rules.CorrelationFull, 4)
		await(t, 20*time.Second, "jobs", func() bool {
			made, _ := r.of("list", "1")
			_, asked := r.of("burst", "1")
			return made == 4 && asked == 1
		})
		if why := r.whyOf(last); !strings.Contains(why, "limits.share") && !strings.Contains(why, "count together") {
			t.Errorf("why of an event beyond the share: %s", why)
		}
		letters := r.dead()
		if len(letters) != 4 || slices.ContainsFunc(letters, func(d jetstream.Dead) bool { return d.Reason != intake.SuppressionFull }) {
			t.Errorf("dead letters: %+v", letters)
		}
		if c := r.checkOf("limits"); c.State != health.Degraded || !strings.Contains(c.Evidence, "sim/1") || !strings.Contains(c.Evidence, "limits.share") {
			t.Errorf("check: %+v", c)
		}
		if got := console.ByLabel(r.metrics.Bounds, "reason"); got[intake.SuppressionFull] < 5 || got[rules.CorrelationFull] < 4 {
			t.Errorf("counted: %v", got)
		}
		r.publish(start(2, 7), again(2, 7))
		await(t, 20*time.Second, "the other endpoint's jobs", func() bool {
			made, _ := r.of("list", "2")
			burst, _ := r.of("burst", "2")
			return made == 1 && burst == 1
		})
	})
	t.Run("restart", func(t *testing.T) {
		r := p.on(t).run()
		r.publish(start(1, 200), start(2, 8), again(2, 8))
		r.decided(intake.SuppressionFull, 1)
		await(t, 20*time.Second, "the other endpoint's jobs", func() bool {
			made, _ := r.of("list", "2")
			burst, _ := r.of("burst", "2")
			return made == 2 && burst == 2
		})
		if made, _ := r.of("list", "1"); made != 4 {
			t.Errorf("the flooding endpoint has %d jobs, want 4", made)
		}
	})
}

// TestBoundsOfAnEndpoint: events and jobs beyond the configured bounds are refused with a
// reason, kept as dead letters, and shown; another endpoint's are not.
func TestBoundsOfAnEndpoint(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limits, reason, evidence string
	}{
		"events": {"endpoint_events: 2", intake.EndpointEvents, "limits.endpoint_events"},
		"jobs":   {"endpoint_jobs: 2", intake.EndpointJobs, "limits.endpoint_jobs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
			t.Cleanup(sim.Close)
			r := newPlace(t, sim, listProcesses, "limits: { "+tc.limits+" }\n").run()
			var flood []string
			for pid := range 40 {
				flood = append(flood, start(1, 100+pid))
			}
			r.publish(flood...)
			r.publish(start(2, 7))
			r.decided(tc.reason, 1)
			await(t, 20*time.Second, "every event's end", func() bool {
				made, _ := r.of("list", "1")
				refused := int(console.ByLabel(r.metrics.Decisions, "reason")[tc.reason])
				other, _ := r.of("list", "2")
				return made+refused == 40 && other == 1
			})
			refused := int(console.ByLabel(r.metrics.Decisions, "reason")[tc.reason])
			if letters := r.dead(); len(letters) != refused || letters[0].Reason != tc.reason || !strings.Contains(letters[0].Error, tc.evidence) {
				t.Errorf("%d refused, dead letters %+v", refused, letters)
			} else if why := r.whyOf(string(letters[0].Message.Body)); !strings.Contains(why, tc.evidence) {
				t.Errorf("why: %s", why)
			}
			if c := r.checkOf("limits"); c.State != health.Degraded || !strings.Contains(c.Evidence, tc.evidence) || !strings.Contains(c.Evidence, "sim/1") {
				t.Errorf("check: %+v", c)
			}
			if made, _ := r.of("list", "1"); name == "jobs" && made != 2 {
				t.Errorf("%d jobs, want 2", made)
			}
		})
	}
}

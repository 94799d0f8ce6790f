package rules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

const severalServers = `
rules:
  - id: by-sensor
    on: process_start
    when: "true"
    suppress: { key: [sensor.id], for: 1h }
    steps: [{ uses: list_processes }]
  - id: by-process
    on: process_start
    when: "true"
    suppress: { key: [process.guid], for: 1h }
    steps: [{ uses: list_processes }]
  - id: by-variable
    on: process_start
    when: "true"
    vars: { who: sensor.hostname }
    suppress: { key: [vars.who], for: 1h }
    steps: [{ uses: list_processes }]
  - id: by-hash
    on: process_start
    when: "true"
    suppress: { key: [process.sha256], for: 1h }
    steps: [{ uses: list_processes }]
  - id: two-by-sensor
    on: process_start
    when: "true"
    correlate: { type: event_count, group_by: [sensor.id], timespan: 5m, gte: 2 }
    suppress: { for: 0s }
    steps: [{ uses: list_processes }]
  - id: two-by-hash
    on: process_start
    when: "true"
    correlate: { type: event_count, group_by: [process.sha256], timespan: 5m, gte: 2 }
    suppress: { for: 0s }
    steps: [{ uses: list_processes }]
  - id: two-endpoints
    on: process_start
    when: "true"
    correlate: { type: value_count, field: sensor.id, group_by: [process.sha256], timespan: 5m, gte: 2 }
    suppress: { for: 0s }
    steps: [{ uses: list_processes }]
  - id: two-across
    on: process_start
    when: "true"
    correlate: { type: event_count, group_by: [process.sha256], timespan: 5m, gte: 2, across: tenants }
    suppress: { for: 0s }
    steps: [{ uses: list_processes }]
`

// startOn is the same thing happening on the endpoint with the same id and name of a
// server.
func startOn(server, tenant, id string) *events.Event {
	return at(0, id, 42, func(e *events.Event) {
		started("aa")(e)
		e.Process.GUID, e.Sensor.Hostname = "0000002a-0000-113c-01da-ff710e784000", "WS-ANN"
		e.Sensor.Server, e.Sensor.Tenant = server, tenant
	})
}

func TestSuppressionKeepsServersApart(t *testing.T) {
	t.Parallel()
	set := loadText(t, severalServers)
	for rule, want := range map[string][]bool{ // suppressed: again, on another server, of another tenant
		"by-sensor":   {true, false, false},
		"by-process":  {true, false, false},
		"by-variable": {true, false, false},
		"by-hash":     {true, true, false},
	} {
		c := &clock{epoch}
		s := &Suppressor{State: &MemoryState{Now: c.Now}, Now: c.Now, Several: true}
		var got []bool
		for i, e := range []*events.Event{startOn("hq", "acme", "a"), startOn("hq", "acme", "b"), startOn("branch", "acme", "c"), startOn("other", "evil", "d")} {
			answer, err := s.Claim(t.Context(), Ask{Set: set, Match: matchOf(t, set, rule, e), Endpoint: edr.Endpoint{Server: e.Sensor.Server, ID: "42"}, Job: fmt.Sprint("job", i)})
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, answer.Suppressed); i == 0 && answer.Suppressed {
				t.Errorf("%s: the first is suppressed", rule)
			}
		}
		if !slices.Equal(got[1:], want) {
			t.Errorf("%s: suppressed %v, want %v", rule, got[1:], want)
		}
	}
}

func TestCorrelationKeepsServersAndTenantsApart(t *testing.T) {
	t.Parallel()
	set := loadText(t, severalServers)
	for name, tc := range map[string]struct {
		second *events.Event
		want   []string // rules that fire
	}{
		"the same endpoint": {startOn("hq", "acme", "b"), []string{"two-by-sensor", "two-by-hash", "two-across"}},
		"another server":    {startOn("branch", "acme", "b"), []string{"two-by-hash", "two-endpoints", "two-across"}},
		"another tenant":    {startOn("other", "evil", "b"), []string{"two-across"}},
	} {
		c := &Correlator{State: &MemoryState{Now: func() time.Time { return epoch }}, Several: true}
		var got []string
		for _, fired := range correlated(t, c, set, startOn("hq", "acme", "a"), tc.second) {
			got = append(got, fired[2:])
		}
		got = slices.DeleteFunc(got, func(rule string) bool { return rule[:3] == "by-" })
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: fired %v, want %v", name, got, tc.want)
		}
	}
}

// With one server the keys are those of the versions before: what was suppressed stays
// so over the upgrade.
func TestOneServersKeysStay(t *testing.T) {
	t.Parallel()
	set := loadText(t, severalServers)
	r, _ := set.Rule("by-sensor")
	e := startOn("hq", "acme", "a")
	got, err := r.suppressionKey(matchOf(t, set, "by-sensor", e), edr.Endpoint{Server: "hq", ID: "42"}, false)
	if want := stateKey("suppress", "by-sensor", "own", "42"); err != nil || got != want {
		t.Errorf("key %s, %v; want %s", got, err, want)
	}
}

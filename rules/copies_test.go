package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/events"
)

// copiesOf are one alert as it was raised, changed, and closed by an analyst; the last
// is an alert of the same id of another organisation.
const copiesOf = `{"org_key":"ORG1","id":"a","type":"WATCHLIST","is_updated":false,"severity":6,"device_id":7,"device_name":"WS-7","detection_timestamp":"2026-01-02T03:04:05Z","workflow":{"status":"OPEN"}}
{"org_key":"ORG1","id":"a","type":"WATCHLIST","is_updated":true,"severity":7,"device_id":7,"device_name":"WS-7","detection_timestamp":"2026-01-02T03:04:05Z","workflow":{"status":"OPEN"}}
{"org_key":"ORG1","id":"a","type":"WATCHLIST","is_updated":true,"severity":8,"device_id":7,"device_name":"WS-7","detection_timestamp":"2026-01-02T03:04:05Z","workflow":{"status":"CLOSED"}}
{"org_key":"ORG2","id":"a","type":"WATCHLIST","is_updated":false,"severity":7,"device_id":7,"device_name":"WS-7","detection_timestamp":"2026-01-02T03:04:05Z","workflow":{"status":"OPEN"}}
`

// TestARuleActsOnceForAnAlert: whichever of its copies fulfils the condition first,
// never for a closed one, and for each copy only where "on" says so.
func TestARuleActsOnceForAnAlert(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		on, when string
		want     string // verdicts of the four copies, "-" for no match
	}{
		"once":                 {"alert", `alert.severity > 0`, "acts repeated - acts"},
		"when it got worse":    {"alert", `alert.severity >= 7`, "- acts - acts"},
		"updates only":         {"alert_updated", `alert.severity > 0`, "- acts acts -"},
		"the alert and copies": {"[alert, alert_updated]", `alert.severity > 0`, "acts acts acts acts"},
		"closing":              {"alert_updated", `alert.status == "CLOSED"`, "- - acts -"},
		"by a pattern":         {`"alert.cloud.*"`, `alert.severity > 0`, "acts repeated - acts"},
		"beside other kinds":   {"[process_start, alert_updated]", `alert.severity > 0 || process.pid > 0`, "- acts acts -"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := fmt.Sprintf("rules:\n  - id: r\n    title: t\n    on: %s\n    when: %s\n    max_age: 0s\n    suppress: { for: 0s }\n    steps: [ { uses: publish, with: { subject: x } } ]\n", tc.on, tc.when)
			set := loadText(t, text)
			now := time.Date(2026, 1, 2, 3, 5, 0, 0, time.UTC)
			sim := NewSimulation(set, now)
			all, _ := (&events.Decoder{Now: func() time.Time { return now }}).Decode(&events.Message{Body: []byte(copiesOf)})
			var got []string
			for _, e := range all {
				decisions, err := sim.Event(t.Context(), e)
				if err != nil {
					t.Fatal(err)
				}
				verdict := "-"
				for _, d := range decisions {
					verdict = string(d.Verdict)
				}
				got = append(got, verdict)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("verdicts %s, want %s", s, tc.want)
			}
		})
	}
}

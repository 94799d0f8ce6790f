package rules

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/events"
)

const eachRules = `
rules:
  - { id: on-servers, on: alert, when: 'alert.severity > 50 && sensor.type == "server"', sensors: { each: true }, steps: [ { uses: list_processes } ] }
  - { id: not-on-servers, on: alert, when: 'alert.severity > 50 && sensor.type != "server"', sensors: { each: true, max: 4 }, steps: [ { uses: list_processes } ] }
  - { id: by-type, on: alert, when: alert.severity > 50, sensors: { each: true }, vars: { kind: sensor.type }, suppress: { key: [sensor.type] }, steps: [ { uses: list_processes } ] }
  - { id: whole, on: alert, when: alert.severity > 50, steps: [ { uses: list_processes } ] }
`

// TestEachEndpointIsAskedAbout has rules that act on each endpoint of an event evaluated
// with the facts of each: by their numbers, or by their host names where there are none.
func TestEachEndpointIsAskedAbout(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "r.yaml")
	put(t, file, eachRules)
	set, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{"1": "server", "2": "workstation", "A": "server", "B": "workstation"} // of 3 and C: unknown
	enrich := func(e *events.Event) {
		if e.Sensor.Named() == 1 {
			e.Sensor.ForgetGiven()
			e.Sensor.Type, e.Sensor.Given = types[e.Sensor.ID+e.Sensor.Hostname], events.FactType
		}
	}
	for sensors, want := range map[string]string{
		`"sensor_id":1`: "by-type 1 server on-servers 1 whole 1",
		`"endpoint":["|1","|2","|3"]`: "by-type 1 server by-type 2 workstation by-type 3 cannot not-on-servers 3 cannot on-servers 3 " +
			"not-on-servers 2 on-servers 1 whole several_sensors",
		`"hostname":"A","other_hostnames":["B","C","b"]`: "by-type A server by-type B workstation by-type C cannot not-on-servers C cannot on-servers C " +
			"not-on-servers B on-servers A whole several_sensors",
		`"endpoint":["|1","|2","|3","|4","|5"]`: "by-type 1 server by-type 2 workstation by-type 3 by-type 4 by-type 5 cannot not-on-servers  " +
			"cannot on-servers 3 cannot on-servers 4 cannot on-servers 5 on-servers 1 whole several_sensors",
	} {
		body := fmt.Sprintf(`{"type":"alert.watchlist.hit.query.binary","alert_severity":90,"created_time":"2024-09-05T08:53:20Z","md5":"%032d",%s}`, 7, sensors)
		m := NewMatcher(set, &events.Decoder{LazyRaw: true}, nil)
		m.Enrich = enrich
		found := m.Message(&events.Message{Body: []byte(body), ContentType: "application/json", Received: time.Date(2024, 9, 5, 8, 53, 21, 0, time.UTC)})
		var got []string
		for _, x := range found.Matches {
			of := x.Event.Sensor.ID + x.Event.Sensor.Hostname
			if x.Refused == SeveralSensors || x.Refused == TooManySensors {
				of = x.Refused
			} else if kind, _ := x.Vars["kind"].(string); kind != "" {
				of += " " + kind
			}
			got = append(got, x.Rule.ID+" "+of)
		}
		for _, u := range found.Unclear {
			got = append(got, "cannot "+u.Rule.ID+" "+u.Event.Sensor.ID+u.Event.Sensor.Hostname)
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != want || len(found.Failures)+len(found.Rejects) > 0 {
			t.Errorf("%s:\n got %s\nwant %s\n%v %v", sensors, text, want, found.Failures, found.Rejects)
		}
	}
}

// TestAKeyThatIsTheSameForEachEndpoint is warned of: all but one job would be suppressed.
func TestAKeyThatIsTheSameForEachEndpoint(t *testing.T) {
	t.Parallel()
	for rest, warned := range map[string]bool{
		"sensors: { each: true }, suppress: { key: [alert.id] }":                         true,
		"sensors: { each: true }, suppress: { key: [alert.id, process.guid], for: 1h }":  true,
		"sensors: { each: true }, suppress: { key: [sensor.group, alert.id] }":           true,
		"sensors: { each: true }, suppress: { key: [alert.id, sensor.id] }":              false,
		"sensors: { each: true }, suppress: { key: ['lower(sensor.hostname)'] }":         false,
		"sensors: { each: true }, vars: { k: sensor.id }, suppress: { key: ['vars.k'] }": false,
		"sensors: { each: true }, suppress: { key: [alert.id], for: 0s }":                false,
		"sensors: { each: true }, suppress: { for: 1h }":                                 false,
		"suppress: { key: [alert.id] }":                                                  false,
	} {
		file := filepath.Join(t.TempDir(), "r.yaml")
		put(t, file, "rules: [ { id: a, on: alert, when: alert.severity > 50, "+rest+", steps: [ { uses: list_processes } ] } ]")
		text := fmt.Sprint(Check(false, file).Problems)
		if got := strings.Contains(text, "an event of several endpoints makes a job for the first of them only"); got != warned {
			t.Errorf("%s: warned %v, want %v: %s", rest, got, warned, text)
		}
	}
}

package rules

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/workload"
	"edrpipe/pkg/events"
)

// TestUnknownFactsDecideNothing has a rule that depends on a fact found by index and
// by loop alike, whether the fact is known or not.
func TestUnknownFactsDecideNothing(t *testing.T) {
	set := setOf(t, []workload.Rule{
		{ID: "on-servers", On: "process_start", When: `sensor.type == "server" && process.name == "a.exe"`},
		{ID: "spares-servers", On: "process_start", When: `sensor.type != "server" && process.name == "a.exe"`},
		{ID: "fact-alone", On: "process_start", When: `sensor.type == "server"`},
		{ID: "asks-first", On: "process_start", When: `!known(sensor.type) && process.name == "a.exe"`},
	})
	for typ, want := range map[string]struct{ matches, unclear []string }{
		"":            {[]string{"asks-first"}, []string{"on-servers", "spares-servers", "fact-alone"}},
		"server":      {[]string{"on-servers", "fact-alone"}, nil},
		"workstation": {[]string{"spares-servers"}, nil},
	} {
		e := &events.Event{Event: events.Meta{ID: "e", Type: "ingress.event.procstart", Kind: events.ProcessStart}}
		e.Process.Name, e.Sensor.Type = "a.exe", typ
		matches, failures, unclear := set.MatchKnowing(e, nil)
		var got, open []string
		for _, m := range matches {
			got = append(got, m.Rule.ID)
		}
		for _, u := range unclear {
			open = append(open, u.Rule.ID)
			if u.Why() != "cannot tell: sensor.type is not known" {
				t.Errorf("%s: %s", u.Rule.ID, u.Why())
			}
		}
		if !slices.Equal(got, want.matches) || !slices.Equal(open, want.unclear) || len(failures) > 0 {
			t.Errorf("type %q: matches %v and unclear %v, want %v and %v; failures %v", typ, got, open, want.matches, want.unclear, failures)
		}
		loop, _ := set.MatchLoop(e)
		if len(loop) != len(matches) {
			t.Errorf("type %q: %d matches with the index, %d without", typ, len(matches), len(loop))
		}
	}
}

func TestExplainUnknownFacts(t *testing.T) {
	set := setOf(t, []workload.Rule{{ID: "a", On: "process_start", When: `process.name == "a.exe" && sensor.type != "server"`}})
	e := &events.Event{Event: events.Meta{Kind: events.ProcessStart}}
	e.Process.Name = "a.exe"
	r, _ := set.Rule("a")
	reasons := strings.Join(r.Explain(e).Reasons(), "\n")
	if !strings.Contains(reasons, "cannot tell: sensor.type is not known") {
		t.Errorf("reasons: %s", reasons)
	}
}

// TestEndpointOfATest states facts apart from the event; one that is left out is
// unknown and holds a step that changes something.
func TestEndpointOfATest(t *testing.T) {
	const rule = `
rules:
  - id: contain
    on: process_start
    when: process.name == "a.exe"
    steps:
      - { uses: list_processes, if: sensor.os == "windows" }
      - { uses: isolate, if: sensor.type != "server" }
    tests:
      - name: of this endpoint
        endpoint: ENDPOINT
        events: [ { type: ingress.event.procstart, sensor: { id: 5 }, process: { name: a.exe } } ]
        expect: EXPECT
`
	for endpoint, expect := range map[string]string{
		`{ os: windows, type: workstation }`: `[ { run: list_processes }, { run: isolate } ]`,
		`{ os: windows, type: server }`:      `[ { run: list_processes }, { not: isolate } ]`,
		`{ os: windows }`:                    `[ { run: list_processes }, { held: isolate, reason: unknown_fact } ]`,
		`{ group: Office }`:                  `[ { held: isolate }, { not: list_processes } ]`,
	} {
		file := filepath.Join(t.TempDir(), "r.yaml")
		put(t, file, strings.NewReplacer("ENDPOINT", endpoint, "EXPECT", expect).Replace(rule))
		set, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if result := set.Source().Tests[0].Run(t.Context(), set); !result.Passed() {
			t.Errorf("%s: %v %v", endpoint, result.Failures, result.Problems)
		}
	}
}

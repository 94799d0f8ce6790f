package rules

import (
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
		matches, failures, unclear := set.MatchKnowing(e)
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

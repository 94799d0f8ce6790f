package rules

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCoverage: an arm that was not reached counts as not asked, and one outcome
// is half of it.
func TestCoverage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.yaml")
	put(t, file, `
rules:
  - id: a
    on: process_start
    when: process.name == "x" && (process.pid > 5 || process.user == "eve")
    steps: [ { uses: isolate }, { uses: unisolate, if: process.user == "bob" } ]
    tests:
      - { name: one, events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: y } } ], jobs: 0 }
      - { name: two, events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: x, pid: 9 } } ], jobs: 1 }
`)
	set, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCoverage(set)
	for _, test := range set.Source().Tests {
		result := test.Run(context.Background(), set)
		if !result.Passed() {
			t.Fatal(result.Failures)
		}
		c.Add(result)
	}
	want := []RuleCoverage{{Rule: "a", Percent: 50, Gaps: []string{
		"never false: process.pid > 5",
		`never asked: process.user == "eve"`,
		"never ran: step unisolate",
	}}}
	if diff := cmp.Diff(want, c.Rules()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

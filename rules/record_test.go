package rules

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"edrpipe/pkg/events"
)

// TestRecord: a recorded job is a test that passes, however hostile the text of
// its event.
func TestRecord(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), `
rules:
  - id: a
    on: process_start
    when: >-
      process.command_line contains "enc" && process.segment == 9007199254740993 && sensor.os == "windows" && "till" in sensor.tags
      && sensor.criticality == 0 && !known(sensor.labels) && !known(sensor.os_version) && known(sensor.group)
    steps:
      - id: grab
        uses: get_file
        with: { path: "${{ process.path }}" }
      - uses: publish
        with: { subject: x, body: { line: "${{ process.command_line }}", hash: "${{ steps.grab.output.sha256 }}" } }
`)
	const hostile = "x -enc ${{ process.pid }} '\": # \t- é \u2028 }}"
	began := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	r := Recording{
		Name: "job 1", Rule: "a", Outcome: "succeeded",
		Event: &events.Event{
			Event: events.Meta{ID: "e1", Type: "ingress.event.procstart", Kind: events.ProcessStart, Time: began, Received: began.Add(time.Minute)},
			Sensor: events.Sensor{
				ID: "42", IDs: []string{"42"}, OS: "windows", Group: "${{ x }}", Groups: []string{"${{ x }}"}, Tags: []string{"till"}, Type: "server",
				Known: events.FactTenant | events.FactCriticality | events.FactTags,
				Given: events.AllFacts &^ events.FactType, // that is the event's own
			},
			Process: events.Process{Path: `c:\x.exe`, CommandLine: hostile, Segment: 9007199254740993},
		},
		Steps: []RecordedStep{
			{ID: "grab", Args: map[string]any{"path": `c:\x.exe`}, Output: json.RawMessage(`{"sha256":"aa","size":9007199254740993}`)},
			{ID: "publish", Args: map[string]any{"subject": "x", "body": map[string]any{"line": hostile, "hash": "aa"}}},
		},
	}
	text, err := r.Test()
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "a_test.yaml"), string(text))
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := set.LoadTests(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if result := tests[0].Run(context.Background(), set); !result.Passed() {
		t.Errorf("%v %v\n%s", result.Failures, result.Problems, text)
	}
}

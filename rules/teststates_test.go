package rules

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// TestStates: what tests can say of people, guards, retries and undoing.
func TestStates(t *testing.T) {
	const rule = `
rules:
  - id: contain
    on: process_start
    when: process.name == "a.exe"
    steps:
      - { id: look, uses: list_processes, retry: { max: 1, backoff: 1s, on: [sensor_busy] } }
      - { uses: isolate, undo_after: 4h, approval: { from: [soc], within: 15m, otherwise: OTHERWISE } }
    on_failure: [ { uses: isolate, id: again }, { id: tell, uses: publish, with: { subject: failed } } ]
    tests:
      - name: x
        events: [ { at: 1h, event: { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: a.exe } } } ]
        BODY
`
	for name, c := range map[string]struct {
		body, otherwise string
		guard           string // what guards say to isolate
		fails           string
	}{
		"undone":                {body: "expect: [ { run: look }, { run: isolate }, { undo: isolate, at: 5h } ]"},
		"undone at the time":    {body: "expect: [ { run: look }, { run: isolate }, { undo: isolate, at: 4h } ]", fails: "is undone at 5h0m0s, want at 4h0m0s"},
		"not undone":            {body: "mocks: { isolate: { error: x } }\n        expect: [ { run: look }, { run: isolate }, { run: again }, { run: tell }, { undo: isolate } ]", fails: "isolate is not undone"},
		"granted":               {body: "mocks: { isolate: { approval: granted } }\n        expect: [ { run: look }, { run: isolate } ]\n        outcome: succeeded"},
		"denied":                {body: "mocks: { isolate: { approval: denied } }\n        expect: [ { run: look }, { run: again }, { run: tell } ]\n        outcome: denied"},
		"timed out":             {body: "mocks: { isolate: { approval: timeout } }\n        expect: [ { run: look }, { run: again }, { run: tell } ]\n        outcome: denied"},
		"timed out and allowed": {body: "mocks: { isolate: { approval: timeout } }\n        expect: [ { run: look }, { run: isolate } ]\n        outcome: succeeded", otherwise: "allow"},
		"waiting":               {body: "mocks: { isolate: { approval: waiting } }\n        expect: [ { run: look }, { held: isolate, reason: approval } ]\n        outcome: held"},
		"another reason":        {body: "mocks: { isolate: { approval: waiting } }\n        expect: [ { run: look }, { held: isolate, reason: unknown_fact } ]", fails: "held for approval, want unknown_fact"},
		"tried again":           {body: "mocks: { look: { fails: [sensor_busy] } }\n        expect: [ { run: look }, { run: isolate } ]\n        outcome: succeeded"},
		"tried too often":       {body: "mocks: { look: { fails: [sensor_busy, sensor_busy] } }\n        outcome: failed"},
		"not tried again":       {body: "mocks: { look: { fails: [timeout] } }\n        outcome: failed"},
		"held by a guard":       {guard: "hold", body: "expect: [ { run: look }, { held: isolate, reason: quiet hours } ]"},
		"held and granted":      {guard: "hold", body: "mocks: { isolate: { approval: granted } }\n        expect: [ { run: look }, { run: isolate } ]"},
		"denied by a guard":     {guard: "deny", body: "expect: [ { run: look }, { run: tell } ]\n        outcome: denied"},
		"recorded by a guard":   {guard: "shadow", body: "expect: [ { run: look } ]\n        outcome: succeeded"},
	} {
		if c.otherwise == "" {
			c.otherwise = "deny"
		}
		file := filepath.Join(t.TempDir(), "r.yaml")
		put(t, file, strings.NewReplacer("BODY", c.body, "OTHERWISE", c.otherwise).Replace(rule))
		set, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		var admit func(ctx context.Context, p Planned) (decision, reason string)
		if c.guard != "" {
			admit = func(_ context.Context, p Planned) (decision, reason string) {
				if p.Action.Destructive && p.Action.Name == "isolate" {
					return c.guard, "quiet hours"
				}
				return "", ""
			}
		}
		result := set.Source().Tests[0].RunGuarded(t.Context(), set, admit)
		got := strings.Join(result.Failures, "; ")
		if len(result.Problems) > 0 || (c.fails == "") != (got == "") || !strings.Contains(got, c.fails) {
			t.Errorf("%s: %v, %s; want %q", name, got, result.Problems, c.fails)
		}
	}
}

// TestOneIDInBothChains: a step of on_failure has an id of its own, or it would count as
// run before it has begun.
func TestOneIDInBothChains(t *testing.T) {
	set := loadText(t, `
rules:
  - id: r
    on: process_start
    when: process.name == "a.exe"
    steps: [ { uses: publish, with: { subject: a } }, { uses: isolate } ]
    on_failure: [ { uses: publish, with: { subject: b } }, { uses: isolate } ]
`)
	seen := map[string]bool{}
	for _, s := range allSteps(set.Rules()[0]) {
		if seen[s.ID] {
			t.Errorf("there are two of %s", s.ID)
		}
		seen[s.ID] = true
	}
}

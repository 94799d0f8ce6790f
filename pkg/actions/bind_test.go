package actions

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

func chain() []Step {
	return []Step{
		{ID: "grab", Uses: "get_file", With: map[string]any{"path": "${{ process.path }}"}},
		{ID: "list", Uses: "list_processes", Foreach: "[1, 2]"},
	}
}

func scopeOf(process events.Process) Scope {
	return Scope{
		Event: &events.Event{Process: process, Sensor: events.Sensor{ID: "42", IDs: []string{"42", "43"}, Hostname: "HOST"}},
		Vars:  map[string]any{"who": "me", "n": float64(3)},
		Job:   JobInfo{ID: "j", Sensor: "42", Created: time.Unix(1e9, 0).UTC()},
		Rule:  RuleInfo{ID: "r", Tags: []string{"attack.t1059"}},
		Steps: map[string]StepResult{"grab": {ID: "grab", Status: "ok", Output: json.RawMessage(`{"size":9007199254740993,"artifact":{"sha256":"ab"}}`)}},
	}
}

func TestBinder(t *testing.T) {
	b := NewBinder(chain(), site())
	s := scopeOf(events.Process{PID: 4711, Path: `c:\a "b".exe`, Start: time.Unix(1e9, 0).UTC()})
	got, err := b.Args(s, map[string]any{
		"number": "${{ process.pid }}",
		"text":   "pid ${{ process.pid }} of ${{ vars.who }}",
		"var":    "${{ vars.n + 1 }}",
		"time":   "${{ process.start }}",
		"large":  "${{ steps.grab.output.size }}",
		"deep":   map[string]any{"list": []any{"${{ sensor.ids }}", 7, true, nil}},
		"object": "${{ process }}",
		"job":    "${{ job.created.Year() }} ${{ rule.tags[0] }}",
		"unrun":  "${{ len(steps.list.output) }}",
		"zero":   "${{ steps.grab.output.path }}",
		"dollar": "$${{ x }}",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"number": 4711, "text": "pid 4711 of me", "var": 4, "time": "2001-09-09T01:46:40Z", "large": 9007199254740993,
		"deep":   map[string]any{"list": []any{[]any{"42", "43"}, 7, true, nil}},
		"object": map[string]any{"pid": 4711, "path": `c:\a "b".exe`, "start": "2001-09-09T01:46:40Z"},
		"job":    "2001 attack.t1059", "unrun": 0, "zero": "", "dollar": "${{ x }}",
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s = %#v, want %#v", name, got[name], want[name])
		}
	}
}

func TestBinderFlow(t *testing.T) {
	b := NewBinder(chain(), Site{Vars: site().Vars, Correlated: expression.ObjectOf(expression.Field{Name: "count", Type: expression.IntType})})
	s := scopeOf(events.Process{PID: 7})
	s.Correlated = map[string]any{"count": float64(5)}
	s.Item = map[string]any{"path": "/x"}
	for condition, want := range map[string]bool{
		"": true, "always()": true, "always() && process.pid == 8": false, "steps.grab.status == 'ok'": true, "correlated.count >= 5": true, "item.path == '/x'": true,
	} {
		if got, err := b.Holds(s, condition); err != nil || got != want {
			t.Errorf("Holds(%q) = %v, %v, want %v", condition, got, err, want)
		}
	}
	if items, err := b.Items(s, "sensor.ids"); err != nil || !reflect.DeepEqual(items, []any{"42", "43"}) {
		t.Errorf("Items = %v, %v", items, err)
	}
	if _, err := b.Items(s, "1..2000"); err == nil || !strings.Contains(err.Error(), "the limit is 1000") {
		t.Errorf("an unbounded foreach: %v", err)
	}
	if id, err := b.Sensor(s, "sensor.ids[1]"); err != nil || id != "43" {
		t.Errorf("Sensor = %v, %v", id, err)
	}
	if _, err := b.Sensor(s, "0"); err == nil {
		t.Error("sensor 0 is taken")
	}
}

// TestEventTextIsNeverEvaluated: whatever an endpoint reports, it comes out of
// the templates as it went in, and goes through a job's record unchanged.
func TestEventTextIsNeverEvaluated(t *testing.T) {
	b := NewBinder(chain(), site())
	kill, _ := Lookup("kill_process")
	rapid.Check(t, func(t *rapid.T) {
		text := hostileText().Draw(t, "text")
		args, err := b.Args(scopeOf(events.Process{PID: 1, GUID: text, Path: text}), map[string]any{
			"pid": "${{ process.pid }}", "guid": "${{ process.guid }}", "path": "${{ process.path }}",
		})
		if err != nil {
			t.Fatal(err)
		}
		if args["guid"] != text || args["path"] != text {
			t.Fatalf("%q became %q", text, args)
		}
		again, err := b.Args(scopeOf(events.Process{}), map[string]any{"path": "${{ steps.grab.output.path }}"})
		if err != nil || again["path"] != "" {
			t.Fatalf("%v, %v", again, err)
		}
		p, err := Decode(kill, args)
		if refused := strings.ContainsRune(text, 0); refused != (err != nil) && text != "" {
			t.Fatalf("Decode(%q): %v", text, err)
		}
		if err == nil && p.(KillProcessParams).GUID != text {
			t.Fatalf("the parameter is %q", p.(KillProcessParams).GUID)
		}
	})
}

// TestHostileNamesDoNotChangeWhatIsExecuted runs actions on an event full of
// hostile text and looks at what reached the endpoint.
func TestHostileNamesDoNotChangeWhatIsExecuted(t *testing.T) {
	b := NewBinder(nil, Site{})
	for _, os := range []edr.OS{edr.Windows, edr.Linux} {
		for _, c := range []struct {
			uses string
			with map[string]any
			argv int // words before the event's
		}{
			{"create_process", map[string]any{"program": `c:\tools\sign.exe`, "flags": []any{"-a"}, "args": []any{"${{ process.command_line }}", "${{ process.path }}"}}, 2},
			{"run", map[string]any{"file": "tidy.ps1", "args": []any{"${{ process.command_line }}", "${{ process.path }}"}}, 0},
			{"run", map[string]any{"file": "old.bat", "args": []any{"${{ process.command_line }}", "${{ process.path }}"}}, 0},
		} {
			rapid.Check(t, func(rt *rapid.T) {
				one, two := hostileText().Draw(rt, "command line"), hostileText().Draw(rt, "path")
				args, err := b.Args(scopeOf(events.Process{CommandLine: one, Path: two}), c.with)
				if err != nil {
					rt.Fatal(err)
				}
				e := newEndpoint(os)
				if _, err = e.do(t, c.uses, args); err != nil {
					if len(e.lines) != 0 {
						rt.Fatalf("refused after it had run: %q", e.lines)
					}
					return
				}
				var argv []string
				if os == edr.Windows {
					argv = splitWindows(e.lines[0])
				} else {
					argv = splitPOSIX(rt, e.lines[0])
				}
				if n := len(argv); len(e.lines) != 1 || argv[n-2] != one || argv[n-1] != two {
					rt.Fatalf("ran %q\nargv %q", e.lines, argv)
				}
				if c.argv > 0 && len(argv) != c.argv+2 {
					rt.Fatalf("%d words: %q", len(argv), argv)
				}
			})
		}
	}
}

func TestPlainKeepsLargeNumbers(t *testing.T) {
	got, err := plain(map[string]any{"n": int64(math.MaxInt64)})
	if err != nil || !reflect.DeepEqual(got, map[string]any{"n": math.MaxInt64}) {
		t.Errorf("got %#v, %v", got, err)
	}
}

package rules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"edrpipe/internal/golden"
	"edrpipe/pkg/events"
	"edrpipe/pkg/strictyaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLoad(t *testing.T) {
	set, err := Load("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"autorun-value-written", "spread-of-one-binary", "every-hit"}, set.ids()); diff != "" {
		t.Fatal(diff)
	}
	r, _ := set.Rule("autorun-value-written")
	if r.Severity != "high" || r.Priority != "high" || r.OfflineWait.Hours() != 168 || r.Mode != Shadow || r.Line != 7 {
		t.Errorf("rule = %+v", r)
	}
	e := &events.Event{Reg: events.Reg{Path: `HKLM\a`}}
	vars, err := r.vars(e)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"key": `HKLM\a`, "loud": false}, vars); diff != "" {
		t.Error(diff)
	}
	if group, err := r.GroupOf(e, vars); err != nil || group != `run-HKLM\a` {
		t.Errorf("group = %q, %v", group, err)
	}
	if !set.Source().Lists.Has("known-good", strings.Repeat("aa", 32)) || !set.Source().Lists.Has("known-good", strings.Repeat("BB", 32)) || set.Source().Lists.Has("known-good", "# ours") {
		t.Error("the list was misread")
	}
}

// TestDigest: a rule's digest follows what it does, not where it stands.
func TestDigest(t *testing.T) {
	load := func(text string) *Rule {
		file := filepath.Join(t.TempDir(), "r.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return set.Rules()[0]
	}
	const rule = "rules:\n  - { id: a, on: registry, when: true, steps: [ { uses: isolate } ] }\n"
	first := load(rule)
	if again := load("# moved\n\n" + rule); again.Digest != first.Digest {
		t.Error("the digest depends on the place")
	}
	if other := load(strings.Replace(rule, "true", "reg.path == ''", 1)); other.Digest == first.Digest {
		t.Error("the digest does not depend on the condition")
	}
}

// TestMistakes loads each testdata/mistakes/*.yaml and compares all that its
// author is told with the .golden beside it.
func TestMistakes(t *testing.T) {
	files, _ := filepath.Glob("testdata/mistakes/*.yaml")
	if len(files) < 30 {
		t.Errorf("only %d mistakes", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, err := Load(file)
			var problems strictyaml.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("err = %v, want problems", err)
			}
			golden.Check(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

func TestLoadPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(id string) string {
		return "rules:\n  - { id: " + id + ", on: registry, when: true, steps: [ { uses: isolate } ] }\n"
	}
	write("a.yaml", rule("a"))
	write("sub/b.yml", rule("b"))
	write("sub/b_test.yaml", "tests: []\n")
	write(".hidden/c.yaml", "not: rules\n")
	write("notes.txt", "nothing")
	tests := []struct {
		name  string
		paths []string
		want  string
	}{
		{"a directory", []string{dir}, "a b"},
		{"a file", []string{filepath.Join(dir, "a.yaml")}, "a"},
		{"a pattern", []string{filepath.Join(dir, "**/*.yml")}, "b"},
		{"a file twice", []string{dir, filepath.Join(dir, "sub", "b.yml")}, "a b"},
		{"no files", []string{filepath.Join(dir, "*.yamlx")}, "error: there are no rule files"},
		{"nothing there", []string{filepath.Join(dir, "absent")}, "error: no such file or directory"},
		{"no paths", nil, "error: no rule files are named"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := Load(tt.paths...)
			got := ""
			if err != nil {
				got = "error: " + err.(strictyaml.Problems)[0].Message
			} else {
				got = strings.Join(set.ids(), " ")
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestRaw: a rule that reads raw gets it from a decoder that leaves it for later,
// in its condition and in its steps.
func TestRaw(t *testing.T) {
	tests := []struct{ name, rule string }{
		{"in the condition", "{ id: a, on: registry, when: raw.x == 5, steps: [ { uses: isolate } ] }"},
		{"at the beginning of a line", "{ id: a, on: registry, when: \"true &&\\nraw.x == 5\", steps: [ { uses: isolate } ] }"},
		{"in a step", "{ id: a, on: registry, when: true, steps: [ { uses: isolate, with: { reason: '${{ raw.x }}' } } ] }"},
		{"nowhere", "{ id: a, on: registry, when: true, steps: [ { uses: isolate } ] }"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "r.yaml")
			put(t, file, "rules:\n  - "+tt.rule+"\n")
			set, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			d := events.Decoder{LazyRaw: true}
			decoded, rejects := d.Decode(&events.Message{Body: []byte(`{"type":"ingress.event.regmod","sensor_id":7,"x":5}`)})
			if len(decoded) != 1 {
				t.Fatalf("%d events, %v", len(decoded), rejects)
			}
			matches, failures := set.Match(decoded[0])
			if len(matches) != 1 || len(failures) > 0 {
				t.Fatalf("matches = %v, failures = %v", matches, failures)
			}
			if got, want := decoded[0].Raw != nil, tt.name != "nowhere"; got != want {
				t.Errorf("raw is loaded: %v, want %v", got, want)
			}
		})
	}
}

// A condition that the index cannot look up is a warning where sensors send such events
// all the time, and not for hits, blocks and alerts.
func TestWarningOfConditionsThatRunForEveryEvent(t *testing.T) {
	t.Parallel()
	for on, want := range map[string]int{"process_start": 1, "block": 0, "alert": 0, "watchlist_hit": 0, "ingress.event.netconn": 1, "'ingress.event.*'": 1, "'alert.*'": 0, "[block, registry]": 1} {
		set, err := LoadText("rule.yaml", []byte("rules: [{ id: every, on: "+on+", when: 'sensor.hostname != \"x\"', steps: [{ uses: session_archive }] }]"))
		if err != nil {
			t.Fatalf("on: %s: %v", on, err)
		}
		if got := len(set.Source().Warnings); got != want {
			t.Errorf("on: %s: %d warnings, want %d: %v", on, got, want, set.Source().Warnings)
		}
	}
}

package rules

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/golden"
)

// TestFailing shows what authors are told of tests that fail or are wrong.
func TestFailing(t *testing.T) {
	set, err := Load("testdata/failing")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, test := range set.Source().Tests {
		result := test.Run(context.Background(), set)
		if result.Passed() {
			t.Errorf("%s: passed", test.Name)
		}
		fmt.Fprintf(&b, "%s\n", test.Name)
		for _, f := range result.Failures {
			fmt.Fprintf(&b, "  %s\n", f)
		}
		if len(result.Problems) > 0 {
			fmt.Fprintf(&b, "%s\n", result.Problems.Sort())
		}
		b.WriteString("\n")
	}
	golden.Check(t, "testdata/failing/failing.golden", b.String())
}

func TestTestFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.yaml"), oneRule("a"))
	put(t, filepath.Join(dir, "a_test.yaml"), `
tests:
  - { name: it acts, rule: a, events: [ { type: ingress.event.regmod, sensor: { id: 1 } } ], expect: [ { run: isolate } ] }
  - { name: of nothing, rule: aa, events: [] }
`)
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.LoadTests(dir); err == nil || !strings.Contains(err.Error(), `there is no rule "aa"`) {
		t.Errorf("err = %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a_test.yaml"), []byte("tests:\n  - { name: it acts, rule: a, events: [ { type: ingress.event.regmod, sensor: { id: 1 } } ], expect: [ { run: isolate } ] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests, err := set.LoadTests(dir)
	if err != nil || len(tests) != 1 {
		t.Fatalf("%d tests, %v", len(tests), err)
	}
	if result := tests[0].Run(context.Background(), set); !result.Passed() {
		t.Error(result.Failures)
	}
}

// TestTheContract runs the examples of the page that the rule language was
// agreed on, as they stand there.
func TestTheContract(t *testing.T) {
	page, err := os.ReadFile("../../shared/spec/rules.md")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	dir := t.TempDir()
	put(t, filepath.Join(dir, "contract.yaml"), text)
	if err := os.Mkdir(filepath.Join(dir, "lists"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "lists", "known-good.txt"), strings.Repeat("00", 32)+"\n")
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rules()) != 3 || len(set.Source().Tests) != 4 {
		t.Fatalf("%d rules, %d tests", len(set.Rules()), len(set.Source().Tests))
	}
	for _, test := range set.Source().Tests {
		if result := test.Run(context.Background(), set); !result.Passed() {
			t.Error(test.Name, result.Failures, result.Problems)
		}
	}
}

// TestEventsAreCompleted: what the decoder derives need not be written in a test, and
// texts have the forms that rules meet in service.
func TestEventsAreCompleted(t *testing.T) {
	e, _, err := eventOf(map[string]any{
		"type": "ingress.event.filemod", "sensor": map[string]any{"id": "1"}, "age": "1m",
		"process": map[string]any{"path": `C:\X\Cmd.exe`, "parent": map[string]any{"name": "WinWord.EXE"}},
		"file":    map[string]any{"path": `c:\a\b.DOCX`},
		"net":     map[string]any{"domain": "BAD.example."},
	}, testBegin, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{e.Process.Path, e.Process.Name, e.Process.Parent.Name, e.File.Name, e.File.Ext, e.Net.Domain, e.Sensor.ID, e.Event.Age.String()}
	want := []string{`c:\x\cmd.exe`, "cmd.exe", "winword.exe", "b.docx", "docx", "bad.example", "1", "1m0s"}
	if !slices.Equal(got, want) {
		t.Errorf("the event has %q, want %q", got, want)
	}
}

// A test may shorten a hash; what is no hash at all stays a mistake.
func TestShortHash(t *testing.T) {
	for md5, passes := range map[string]bool{"bb": true, "0": true, "zz": false, strings.Repeat("a", 33): false} {
		file := filepath.Join(t.TempDir(), "r.yaml")
		put(t, file, `
rules:
  - id: ban
    on: process_start
    when: process.md5 != ""
    steps: [ { uses: ban_hash, with: { md5: "${{ process.md5 }}" } } ]
    tests:
      - name: it is banned
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { md5: "`+md5+`" } } ]
        expect: [ { run: ban_hash, with: { md5: "`+md5+`" } } ]
`)
		set, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if result := set.Source().Tests[0].Run(context.Background(), set); result.Passed() != passes {
			t.Errorf("%q: %v", md5, result.Failures)
		}
	}
}

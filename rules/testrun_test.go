package rules

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	golden(t, "testdata/failing/failing.golden", b.String())
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

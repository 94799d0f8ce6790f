package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTagsOfATTACK(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.yaml")
	text := "rules:\n  - id: a\n    tags: [attack.t1086, attack.excution, attack.execution, attack.t1059.001, cve.2021-44228]\n" +
		"    on: ingress.event.tamper\n    steps: [ { uses: list_processes } ]\n  - id: b\n    tags: attack.t99\n    on: ingress.event.tamper\n    steps: [ { uses: list_processes } ]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Check(false, file)
	want := []string{
		"r.yaml:3:12: warning: attack.t1086 is neither a technique nor a tactic of ATT&CK 18.0|did you mean \"attack.t1059.001\"?",
		"r.yaml:3:26: warning: attack.excution is neither a technique nor a tactic of ATT&CK 18.0|did you mean \"attack.execution\"?",
		"r.yaml:7:11: warning: attack.t99 is neither",
	}
	if len(c.Problems) != len(want) || c.Problems.Err() != nil {
		t.Fatalf("%v", c.Problems)
	}
	for i, p := range c.Problems {
		got := strings.TrimPrefix(p.String(), filepath.Dir(file)+"/") + "|" + p.Hint
		if !strings.HasPrefix(got, want[i]) {
			t.Errorf("%s, want %s", got, want[i])
		}
	}
	set, err := Load(file)
	if err != nil || len(set.Source().Warnings) > 0 {
		t.Errorf("a service that loads them is told: %v, %v", err, set.Source().Warnings)
	}
	for _, p := range NewWorkbench().Check("r.yaml", []byte(text), noRules{}) {
		if p.Warning && strings.Contains(p.Message, "attack.t1086") {
			return
		}
	}
	t.Error("an editor is not told of attack.t1086")
}

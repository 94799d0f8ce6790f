package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"edrpipe/rules"
	"edrpipe/rules/attack"
)

// printAttack prints what the enabled rules of a set cover of ATT&CK, and writes it as
// a layer where a file is named.
func printAttack(w io.Writer, f *outputFlag, set *rules.Set, layer string) error {
	var all []attack.Rule
	for _, r := range set.Rules() {
		if r.Enabled {
			all = append(all, attack.Rule{ID: r.ID, Tags: r.Tags})
		}
	}
	c := attack.Enterprise().Coverage(all)
	if layer != "" {
		var text bytes.Buffer
		if err := printJSON(&text, c.Layer("rules of edrpipe")); err != nil {
			return err
		}
		if err := os.WriteFile(layer, text.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write the layer of the Navigator: %w", err)
		}
	}
	return f.print(w, c, func() { tabulateCoverage(w, c, len(all)) })
}

func tabulateCoverage(w io.Writer, c attack.Coverage, enabled int) {
	t := newTable(w, "~Technique", "=Rules")
	for _, covered := range c.Techniques {
		t.AppendRow(table.Row{covered.ID, strings.Join(covered.Rules, ", ")})
	}
	t.Render()
	t = newTable(w, "~Tactic", "Covered", "Of", "=Techniques")
	for _, tactic := range c.Tactics {
		t.AppendRow(table.Row{tactic.Name, len(tactic.Covered), len(tactic.Covered) + len(tactic.Missing), strings.Join(tactic.Covered, ", ")})
	}
	t.Render()
	fmt.Fprintf(w, "ATT&CK %s (Enterprise): %s named by %d of %s\n", c.Version, counted(len(c.Techniques), "technique"), enabled-len(c.Untagged), counted(enabled, "rule"))
}

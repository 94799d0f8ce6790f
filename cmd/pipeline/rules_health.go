package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func newRulesHealthCommand() *cobra.Command {
	var source replayedEvents
	var format string
	var all bool
	cmd := &cobra.Command{
		Use:   "health --events FILE|stream [flags] PATH…",
		Short: "Find rules and clauses of rules that no past event satisfied",
		Long: `Find rules and clauses of rules that no past event satisfied: for each rule the events
that "on" names (candidates), how many met its condition (matches), and the comparisons
that never held, out of how many times they were reached. A rule without candidates waits
for events that do not come: is the source on, does the sensor report them? A comparison
that never held is a mistake, such as a name that is spelt otherwise, or is for what has
not happened yet. Correlation and suppression are not looked at: see rules backtest.
Rules with nothing to report are left out without --all.`,
		Example: `  pipeline rules health --events stream --since 30d rules/
  pipeline rules health --events recording.jsonl --all examples/rules`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON); err != nil {
				return err
			}
			set, _, err := loadRules(cmd.ErrOrStderr(), paths)
			if err != nil {
				return err
			}
			h := rules.NewHealth(set)
			if err := source.each(cmd, func(e *events.Event) error { h.Event(e); return nil }); err != nil {
				return err
			}
			if format == formatJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"events": h.Events(), "rules": h.Rules()})
			}
			printRuleHealth(cmd.OutOrStdout(), h, all)
			return nil
		},
	}
	source.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also rules that matched and whose clauses all held")
	cmd.Flags().StringVar(&format, "format", formatText, "text or json")
	return cmd
}

func printRuleHealth(w io.Writer, h *rules.Health, all bool) {
	t := newTable(w, "~Rule", "Candidates", "Matches")
	var notes []string
	sound, disabled := 0, 0
	for _, r := range h.Rules() {
		dead := neverHeld(r)
		switch {
		case !r.Enabled:
			disabled++
			continue
		case r.Matches > 0 && len(dead) == 0:
			sound++
			if !all {
				continue
			}
		}
		t.AppendRow(table.Row{r.Rule, r.Candidates, r.Matches})
		for _, line := range dead {
			notes = append(notes, fmt.Sprintf("%s: %s\n", r.Rule, line))
		}
	}
	t.Render()
	fmt.Fprint(w, strings.Join(notes, ""))
	fmt.Fprintf(w, "%s: %s with matches and no dead clause, %d not enabled\n", counted(h.Events(), "event"), counted(sound, "rule"), disabled)
}

// neverHeld says which comparisons never held; empty without candidates: none could.
func neverHeld(r rules.RuleHealth) []string {
	var lines []string
	for _, c := range r.Clauses {
		if r.Candidates == 0 || !c.Dead() {
			continue
		}
		text := printable.Line(c.Text)
		if c.Negated {
			text = "not " + text
		}
		lines = append(lines, fmt.Sprintf("never held: %s (reached %s)", text, counted(c.Reached, "time")))
	}
	if r.Unknown > 0 {
		lines = append(lines, fmt.Sprintf("a fact of the endpoint was not known: %s", counted(r.Unknown, "time")))
	}
	if r.Failed > 0 {
		lines = append(lines, fmt.Sprintf("the condition failed: %s; see rules backtest", counted(r.Failed, "time")))
	}
	return lines
}

package main

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/rules"
)

func newRulesListCommand() *cobra.Command {
	var f outputFlag
	var coverage bool
	var layer string
	cmd := &cobra.Command{
		Use:   "list [flags] PATH…",
		Short: "List rules with what they act on and what they do",
		Long: `List rules with what they act on and what they do.

With --attack it prints which techniques of MITRE ATT&CK the tags of the rules that are
enabled name, and how many of each tactic; with -o json also those that are missing.
--navigator writes the same as a layer of the ATT&CK Navigator. A technique counts where
it is named itself or by one of its sub-techniques.`,
		Example: `  pipeline rules list examples/rules
  pipeline rules list --attack --navigator layer.json examples/rules`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := f.check(); err != nil {
				return err
			}
			set, tests, err := loadRules(cmd.ErrOrStderr(), paths)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if coverage || layer != "" {
				return printAttack(w, &f, set, layer)
			}
			listed := listRules(set, tests)
			return f.print(w, listed, func() { tabulateRules(w, listed) })
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&coverage, "attack", false, "list what the rules cover of MITRE ATT&CK")
	cmd.Flags().StringVar(&layer, "navigator", "", "write the coverage as a layer of the ATT&CK Navigator to this file; implies --attack")
	return cmd
}

func tabulateRules(w io.Writer, listed []listedRule) {
	t := newTable(w, "~Rule", "Severity", "Mode", "~On", "~Steps", "Tests", "=Title")
	for _, r := range listed {
		mode := r.Mode
		if !r.Enabled {
			mode = "disabled"
		}
		t.AppendRow(table.Row{r.ID, r.Severity, mode, strings.Join(r.On, "\n"), strings.Join(r.Steps, "\n"), r.Tests, r.Title})
	}
	t.Render()
}

// listedRule is a rule as it is listed.
type listedRule struct {
	ID       string   `json:"id"`
	Title    string   `json:"title,omitempty"`
	Severity string   `json:"severity"`
	Priority string   `json:"priority"`
	Mode     string   `json:"mode"`
	Enabled  bool     `json:"enabled"`
	On       []string `json:"on"`
	Tags     []string `json:"tags,omitempty"`
	Steps    []string `json:"steps"` // actions
	Tests    int      `json:"tests"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Digest   string   `json:"digest"`
}

func listRules(set *rules.Set, tests []*rules.Test) []listedRule {
	count := map[string]int{}
	for _, t := range tests {
		count[t.Rule]++
	}
	listed := []listedRule{}
	for _, r := range set.Rules() {
		l := listedRule{
			ID: r.ID, Title: r.Title, Severity: r.Severity, Priority: r.Priority, Mode: string(r.Mode),
			Enabled: r.Enabled, On: r.On, Tags: r.Tags, Tests: count[r.ID], File: r.File, Line: r.Line, Digest: r.Digest,
		}
		for _, s := range r.Steps {
			name := s.Uses
			if len(s.Parallel) > 0 {
				name = "parallel"
			}
			l.Steps = append(l.Steps, name)
		}
		listed = append(listed, l)
	}
	return listed
}

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func newRulesDiffCommand() *cobra.Command {
	var source replayedEvents
	var format, guards string
	cmd := &cobra.Command{
		Use:   "diff --events FILE|stream [flags] OLD NEW",
		Short: "Say how two versions of rules differ over the same events",
		Long: `Say how two versions of rules differ: which rules are new, gone or changed, and
which jobs, over the same events, only one version makes or makes differently.
--format markdown is a comment for a merge request: how often each action would run,
on how many endpoints, what --guards stop, how long jobs would wait for a session, and
samples. The exit status is 0 whether or not there are differences.`,
		Example: `  pipeline rules diff --events recording.jsonl rules/ new-rules/
  pipeline rules diff --events stream --since 7d --guards guards.yaml --format markdown rules/ new-rules/ > comment.md`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON, formatMarkdown); err != nil {
				return err
			}
			old, oldGuards, err := loadGuarded(cmd.ErrOrStderr(), paths[:1], guards)
			if err != nil {
				return err
			}
			new, newGuards, err := loadGuarded(cmd.ErrOrStderr(), paths[1:], guards)
			if err != nil {
				return err
			}
			comparer := rules.NewComparer(old, new)
			comparer.Admit(oldGuards.admit, newGuards.admit)
			c, err := compareOver(cmd, &source, comparer)
			if err != nil {
				return err
			}
			switch format {
			case formatJSON:
				return printJSON(cmd.OutOrStdout(), c)
			case formatMarkdown:
				printComparisonMarkdown(cmd.OutOrStdout(), c)
			default:
				printComparison(cmd.OutOrStdout(), c)
			}
			return nil
		},
	}
	source.register(cmd)
	cmd.Flags().StringVar(&format, "format", formatText, "text, json or markdown (a comment for a merge request)")
	cmd.Flags().StringVar(&guards, "guards", "", "guards file to ask about each step")
	return cmd
}

func compareOver(cmd *cobra.Command, source *replayedEvents, c *rules.Comparer) (rules.Comparison, error) {
	order := rules.InOrder{Handle: func(e *events.Event) error { return c.Event(cmd.Context(), e) }}
	if err := source.each(cmd, order.Event); err != nil {
		return rules.Comparison{}, err
	}
	err := order.Finish()
	return c.Comparison(), err
}

func printComparison(w io.Writer, c rules.Comparison) {
	for _, part := range []struct {
		what string
		ids  []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}} {
		for _, id := range part.ids {
			fmt.Fprintf(w, "%-8s %s\n", part.what, id)
		}
	}
	for _, j := range c.Jobs {
		fmt.Fprintf(w, "%s  %s on sensor %s (event %s)\n", j.At, j.Rule, j.Endpoint.ID, j.Event)
		for _, s := range j.Old {
			fmt.Fprintf(w, "  - %s\n", printable.Line(s))
		}
		for _, s := range j.New {
			fmt.Fprintf(w, "  + %s\n", printable.Line(s))
		}
	}
	fmt.Fprintf(w, "%s: jobs that differ: %d, that are the same: %d\n", counted(c.Events, "event"), len(c.Jobs), c.Same)
}

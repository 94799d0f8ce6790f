package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func newRulesDiffCommand() *cobra.Command {
	var source replayedEvents
	var format string
	cmd := &cobra.Command{
		Use:   "diff --events FILE|stream [flags] OLD NEW",
		Short: "Say how two versions of rules differ over the same events",
		Long: `Say how two versions of rules differ: which rules are new, gone or changed, and
which jobs, over the same events, only one version makes or makes differently.
The exit status is 0 whether or not there are differences.`,
		Example: `  pipeline rules diff --events recording.jsonl rules/ new-rules/`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON); err != nil {
				return err
			}
			old, _, err := loadRules(cmd.ErrOrStderr(), paths[:1])
			if err != nil {
				return err
			}
			new, _, err := loadRules(cmd.ErrOrStderr(), paths[1:])
			if err != nil {
				return err
			}
			c, err := compareOver(cmd.Context(), cmd, &source, old, new)
			if err != nil {
				return err
			}
			if format == formatJSON {
				return printJSON(cmd.OutOrStdout(), c)
			}
			printComparison(cmd.OutOrStdout(), c)
			return nil
		},
	}
	source.register(cmd)
	cmd.Flags().StringVar(&format, "format", formatText, "text or json")
	return cmd
}

func compareOver(ctx context.Context, cmd *cobra.Command, source *replayedEvents, old, new *rules.Set) (rules.Comparison, error) {
	c := rules.NewComparer(old, new)
	order := rules.InOrder{Handle: func(e *events.Event) error { return c.Event(ctx, e) }}
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

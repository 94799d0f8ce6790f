package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/rules"
	"edrpipe/rules/propose"
)

func newRulesTuneCommand() *cobra.Command {
	var source replayedEvents
	var from, format string
	cmd := &cobra.Command{
		Use:   "tune --from FILE --events FILE|stream [flags] RULE PATH…",
		Short: "Propose exceptions for a false positive, with what each would have removed",
		Long: `Propose exceptions for a false positive: an event (--from, for example what "pipeline
events tail -o json" prints) on which RULE should not act. Each exception is true of it;
those that would have removed the fewest matches among the --events come first, with the
endpoints concerned. Add one to the rule's condition as "and not (…)", and a test of it
(pipeline rules record). What would have removed every match is no exception: it turns
the rule off. Correlation and suppression are not looked at.`,
		Example: `  pipeline rules tune --from event.json --events stream --since 30d kill-office-shell rules/
  pipeline rules tune --from event.json --events recording.jsonl --format json kill-office-shell examples/rules`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat("format", format, formatText, formatJSON); err != nil {
				return err
			}
			t, err := newTuning(cmd, from, args[0], args[1:])
			if err != nil {
				return err
			}
			if err := source.each(cmd, func(e *events.Event) error { t.Event(e); return nil }); err != nil {
				return err
			}
			if format == formatJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"matches": t.Matches(), "exceptions": t.Exceptions()})
			}
			printTuning(cmd.OutOrStdout(), t)
			return nil
		},
	}
	source.register(cmd)
	cmd.Flags().StringVar(&from, "from", "", "file with the event of the false positive; - is standard input")
	cmd.Flags().StringVar(&format, "format", formatText, "text or json")
	_ = cmd.MarkFlagRequired("from") // fails only for a flag that is not there
	return cmd
}

// newTuning reads the event and the rules.
func newTuning(cmd *cobra.Command, from, rule string, paths []string) (*rules.Tuning, error) {
	set, _, err := loadRules(cmd.ErrOrStderr(), paths)
	if err != nil {
		return nil, err
	}
	r, ok := set.Rule(rule)
	if !ok {
		return nil, fmt.Errorf("there is no rule %q in %s: pipeline rules list shows them", rule, strings.Join(paths, " "))
	}
	var first *events.Event
	err = recordedEvents(cmd.Context(), from, cmd.InOrStdin(), cmd.ErrOrStderr(), func(e *events.Event) error {
		first = e
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if first == nil {
		return nil, fmt.Errorf("%s holds no event that can be read", from)
	}
	return rules.NewTuning(r, first, propose.Exceptions(first))
}

// tunedHosts is how many endpoints a line names.
const tunedHosts = 3

func printTuning(w io.Writer, t *rules.Tuning) {
	tab := newTable(w, "Removes", "Of", "~Except", "~Endpoints")
	for _, ex := range t.Exceptions() {
		hosts := printable.Line(strings.Join(ex.Hosts[:min(len(ex.Hosts), tunedHosts)], ", "))
		if more := len(ex.Hosts) - tunedHosts; more > 0 {
			hosts += " and " + counted(more, "other")
		}
		when := printable.Line(ex.When)
		if ex.Removed == t.Matches() && t.Matches() > 1 {
			when += " (every match)"
		}
		tab.AppendRow(table.Row{ex.Removed, t.Matches(), when, hosts})
	}
	tab.Render()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

// replayedEvents is where commands that replay take events from.
type replayedEvents struct {
	bus    busFlags
	source string // file, -, or stream
	since  string
}

func (r *replayedEvents) register(cmd *cobra.Command) {
	r.bus.register(cmd)
	cmd.Flags().StringVar(&r.source, "events", "", "file of recorded events, - for standard input, or stream for those on the bus")
	cmd.Flags().StringVar(&r.since, "since", "7d", "with --events stream: begin with events that arrived so long ago")
	_ = cmd.MarkFlagRequired("events")
}

func (r *replayedEvents) each(cmd *cobra.Command, handle func(*events.Event) error) error {
	if r.source != "stream" {
		return recordedEvents(cmd.Context(), r.source, cmd.InOrStdin(), cmd.ErrOrStderr(), handle)
	}
	since, err := strictyaml.ParseDuration(r.since)
	if err != nil {
		return &usageError{fmt.Errorf("--since: %w", err)}
	}
	conn, err := r.bus.connect(cmd.Context(), commandLog(cmd))
	if err != nil {
		return err
	}
	defer conn.Close()
	var decoder events.Decoder
	w := eventWatch{subject: jetstream.Prefix + ".>", since: since}
	err = w.watch(cmd.Context(), conn, func(m events.Message) error {
		for e, err := range decoder.Events(&m) {
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "not an event: %s\n", printable.Line(err.Error()))
				continue
			}
			if err := handle(e); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return errEnough })
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func newRulesBacktestCommand() *cobra.Command {
	var source replayedEvents
	var guards, format string
	var b rules.Backtest
	cmd := &cobra.Command{
		Use:   "backtest --events FILE|stream [flags] PATH…",
		Short: "Say what rules would have done with past events",
		Long: `Say what rules would have done with past events: a recording, or what the bus
still has, in the order of their times. Matching, correlation, maximum age and suppression are those of the
service; chains are evaluated with empty results of their steps; --guards are
asked about each step, with budgets that begin empty; session slots are
simulated, each step that needs a session taking --session-time. Nothing acts.`,
		Example: `  pipeline rules backtest --events recording.jsonl examples/rules
  pipeline rules backtest --events stream --since 7d --guards guards.yaml rules/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON); err != nil {
				return err
			}
			set, g, err := loadGuarded(cmd.ErrOrStderr(), paths, guards)
			if err != nil {
				return err
			}
			b.Set, b.Admit = set, g.admit
			order := rules.InOrder{Handle: func(e *events.Event) error { return b.Event(cmd.Context(), e) }}
			if err := source.each(cmd, order.Event); err != nil {
				return err
			}
			if err := order.Finish(); err != nil {
				return err
			}
			report := b.Report()
			report.Unsorted, report.Late = order.Unsorted, order.Late
			if format == formatJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			printBacktest(cmd.OutOrStdout(), report, b.Slots)
			return nil
		},
	}
	source.register(cmd)
	f := cmd.Flags()
	f.StringVar(&guards, "guards", "", "guards file to ask about each step")
	f.IntVar(&b.Slots, "slots", 10, "sessions that the EDR server grants")
	f.DurationVar(&b.SessionTime, "session-time", 30*time.Second, "how long a step that needs a session is taken to last")
	f.StringVar(&format, "format", formatText, "text or json")
	return cmd
}

func printBacktest(w io.Writer, r rules.BacktestReport, slots int) {
	t := newTable(w, "~Rule", "Matches", "Jobs", "Suppressed", "Refused", "Failed", "Would run", "Guards stop")
	for _, rule := range r.Rules {
		name := rule.Rule
		if rule.Mode == rules.Shadow {
			name += " (shadow)"
		}
		t.AppendRow(table.Row{name, rule.Matches, rule.Jobs, rule.Suppressed, tallies(rule.Refused), rule.Failed, tallies(rule.Steps), tallies(rule.Guarded)})
	}
	t.Render()
	for _, rule := range r.Rules {
		if rule.FirstError != "" {
			fmt.Fprintf(w, "%s fails: %s\n", rule.Rule, printable.Line(rule.FirstError))
		}
	}
	fmt.Fprintf(w, "%s from %s to %s: %s on %s\n", counted(r.Events, "event"),
		r.From.UTC().Format("2006-01-02 15:04:05"), r.To.UTC().Format("2006-01-02 15:04:05"), counted(r.Jobs, "job"), counted(r.Sensors, "sensor"))
	if r.Unsorted > 0 {
		fmt.Fprintf(w, "%s out of order, replayed in the order of time", counted(r.Unsorted, "event"))
		if r.Late > 0 {
			fmt.Fprintf(w, "; %d of them too far behind for it: sort the recording", r.Late)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "sessions: %d, at most %d of %d slots at a time; %s would have waited, the longest %s\n",
		r.Sessions, r.BusySlots, slots, counted(r.Waited, "job"), r.LongWait)
}

func tallies(counts map[string]int) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%d %s", counts[key], key))
	}
	return strings.Join(lines, "\n")
}

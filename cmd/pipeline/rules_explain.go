package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/rules"
)

func newRulesExplainCommand() *cobra.Command {
	var file, guards, only, format string
	var all bool
	cmd := &cobra.Command{
		Use:   "explain --event FILE [flags] PATH…",
		Short: "Say for each rule why it acts on an event or does not",
		Long: `Say for each rule why it acts on an event, or which comparison was false and what
values it saw. FILE holds one event or several, in any form that sources deliver
or as "pipeline events convert" prints them; - is standard input.

Several events are taken one after the other, so that suppression and correlation
show. For a rule that acts it prints the steps with their parameters (results of
earlier steps are empty), who has to agree, what keeps a step from running, and with
--guards what the guards say about each. Rules of other event types are counted only.`,
		Example: `  pipeline rules explain --event event.json examples/rules
  pipeline events tail -n 1 -o json | pipeline rules explain --event - --guards guards.yaml rules/`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := checkFormat("format", format, formatText, formatJSON); err != nil {
				return err
			}
			set, g, err := loadGuarded(cmd.ErrOrStderr(), paths, guards)
			if err != nil {
				return err
			}
			x := &explainer{set: set, only: only, guard: g, all: all, json: format == formatJSON, out: cmd.OutOrStdout()}
			x.backtest = rules.Backtest{Set: set, Admit: g.admit, Job: x.decided}
			return recordedEvents(cmd.Context(), file, cmd.InOrStdin(), cmd.ErrOrStderr(), func(e *events.Event) error {
				return x.event(cmd.Context(), e)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "event", "", "file with the event; - is standard input")
	f.StringVar(&guards, "guards", "", "guards file to ask about each step")
	f.StringVar(&only, "rule", "", "explain this rule only")
	f.BoolVar(&all, "all", false, "also explain the rules whose on names other event types")
	f.StringVar(&format, "format", formatText, "text or json")
	_ = cmd.MarkFlagRequired("event")
	return cmd
}

// explainer prints what the rules say about events.
type explainer struct {
	set      *rules.Set
	only     string
	guard    *replayedGuard
	json     bool
	all      bool // rules of other event types too
	out      io.Writer
	backtest rules.Backtest
	made     map[string][]explainedJob // of the event at hand, by rule
	number   int
}

// explainedJob is a decision with the steps that would run.
type explainedJob struct {
	decision rules.Decision
	planned  []rules.Planned
}

func (x *explainer) decided(d rules.Decision, planned []rules.Planned) {
	x.made[d.Rule.ID] = append(x.made[d.Rule.ID], explainedJob{d, planned})
}

// explained is the explanation of one rule as JSON.
type explained struct {
	Event   string   `json:"event"` // id
	Rule    string   `json:"rule"`
	Named   bool     `json:"named"`   // on names the event
	Matched bool     `json:"matched"` // and the condition holds
	Reasons []string `json:"reasons"`
	Steps   []string `json:"steps,omitempty"`
}

func (x *explainer) event(ctx context.Context, e *events.Event) error {
	x.made = map[string][]explainedJob{}
	if err := x.backtest.Event(ctx, e); err != nil {
		return err
	}
	x.number++
	if !x.json {
		fmt.Fprintf(x.out, "event %d: %s\n", x.number, where(e))
	}
	others := 0
	for _, rule := range x.set.Rules() {
		if x.only != "" && rule.ID != x.only {
			continue
		}
		r, _ := x.set.Rule(rule.ID)
		explanation := r.Explain(e)
		if !explanation.Named && !x.all && x.only == "" {
			others++
			continue
		}
		var steps []string
		for _, job := range x.made[rule.ID] {
			explanation.Decisions = append(explanation.Decisions, job.decision)
			steps = append(steps, stepLines(job.planned)...)
		}
		if err := x.print(e, explanation, steps); err != nil {
			return err
		}
	}
	if others > 0 && !x.json {
		fmt.Fprintf(x.out, "  %s of other event types; --all shows them\n", counted(others, "rule"))
	}
	return nil
}

func stepLines(planned []rules.Planned) []string {
	var lines []string
	for _, p := range planned {
		line := p.Ran.Describe()
		if p.Ran.Broken {
			line += " — cannot run: " + p.Ran.Error
		}
		if p.Ran.Waits {
			line += " — approval: " + asked(p.Ran.Asks)
		}
		if p.Verdict != "" {
			line += fmt.Sprintf(" — guards: %s, %s", p.Verdict, p.Reason)
		}
		lines = append(lines, line)
	}
	return lines
}

// asked says who has to agree.
func asked(people []string) string {
	if len(people) == 0 {
		return "any approver"
	}
	return strings.Join(people, " or ")
}

func (x *explainer) print(e *events.Event, r *rules.Explanation, steps []string) error {
	matched := r.Named && r.Holds && r.Rule.Enabled
	if x.json {
		return printJSON(x.out, explained{e.Event.ID, r.Rule.ID, r.Named, matched, r.Reasons(), steps})
	}
	mark := "no "
	if matched {
		mark = "yes"
	}
	fmt.Fprintf(x.out, "  %s  %s: %s\n", mark, r.Rule.ID, printable.Line(strings.Join(r.Reasons(), "; ")))
	for _, s := range steps {
		fmt.Fprintf(x.out, "         %s\n", printable.Line(s))
	}
	return nil
}

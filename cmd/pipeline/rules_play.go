package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
)

func newRulesPlayCommand() *cobra.Command {
	var file, listed string
	cmd := &cobra.Command{
		Use:   "play --event FILE [flags] CONDITION",
		Short: "Evaluate one condition on one event, part by part",
		Long: `Evaluate a condition on an event and print each part of it with its value: which
comparisons are true or false, what they saw, and which were not reached. FILE holds
one event or several, in any form that sources deliver or as "pipeline events
convert" prints them; - is standard input. --lists names the directory of rules whose
lists in_list looks into.

The exit status is 1 when the condition has a mistake or is false for every event.`,
		Example: `  pipeline rules play --event event.json 'process.name == "cmd.exe" && process.parent.name == "winword.exe"'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			scope := expression.EventScope().Lenient()
			if listed != "" {
				set, err := rules.Load(listed)
				if err != nil {
					return printed(cmd.ErrOrStderr(), err)
				}
				scope = scope.WithLists(set.Source().Lists)
			}
			clauses, err := conditionParts(scope, args[0])
			if err != nil {
				return printed(cmd.ErrOrStderr(), err)
			}
			held := false
			err = recordedEvents(cmd.Context(), file, cmd.InOrStdin(), cmd.ErrOrStderr(), func(e *events.Event) error {
				e.LoadRaw()
				outcome := clauses.EvalKnowing(e, e.Unknown())
				held = held || outcome.Value
				fmt.Fprintln(cmd.OutOrStdout(), where(e))
				printOutcome(cmd.OutOrStdout(), outcome, "  ")
				return nil
			})
			if err == nil && !held {
				return errSilent
			}
			return err
		},
	}
	cmd.Flags().StringVar(&file, "event", "", "file with the event; - is standard input")
	cmd.Flags().StringVar(&listed, "lists", "", "directory or file of rules whose lists are used")
	_ = cmd.MarkFlagRequired("event")
	return cmd
}

// conditionParts takes a condition apart. Its mistakes are strictyaml.Problems, each
// with a caret.
func conditionParts(scope *expression.Scope, source string) (*expression.Clause, error) {
	program, err := scope.Condition(source)
	var found expression.Errors
	if errors.As(err, &found) {
		var problems strictyaml.Problems
		for _, e := range found {
			problems = append(problems, strictyaml.Problem{
				File: "condition", Line: 1, Column: e.Offset + 1, Length: e.Length, Message: e.Message, Hint: e.Hint, Source: source,
			})
		}
		return nil, problems
	}
	if err != nil {
		return nil, err
	}
	return program.Clauses()
}

// printOutcome prints a part of a condition with what it was, and the parts in it.
func printOutcome(w io.Writer, o expression.Outcome, indent string) {
	value := fmt.Sprint(o.Value)
	switch {
	case o.Skipped:
		value = "not reached"
	case o.Err != nil:
		value = "cannot be evaluated: " + o.Err.Error()
	case o.Missing != 0:
		value = "unknown"
	}
	text := o.Clause.Text
	if len(o.Kids) > 0 {
		text = o.Clause.Op
	}
	var saw []string
	for _, f := range o.Fields {
		saw = append(saw, fmt.Sprintf("%s is %#v", f.Name, f.Value))
	}
	line := fmt.Sprintf("%s%-11s  %s", indent, value, text)
	if len(saw) > 0 && !o.Skipped {
		line += "   (" + strings.Join(saw, ", ") + ")"
	}
	fmt.Fprintln(w, printable.Line(line))
	for _, kid := range o.Kids {
		printOutcome(w, kid, indent+"  ")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edrpipe/pkg/events"
	"edrpipe/rules"
	"edrpipe/rules/propose"
)

func newRulesNewCommand() *cobra.Command {
	var n newRule
	cmd := &cobra.Command{
		Use:   "new --event FILE [flags]",
		Short: "Propose a rule with a test from an event",
		Long: `Propose a rule that acts on events like one that happened, with that event as its
test. FILE holds one event or several, of which the first is taken, in any form that
sources deliver or as "pipeline events convert" prints them; - is standard input.

The condition compares what the next event like it has too: names of programs,
options of command lines, directories, registry keys, names of watchlists. Ids, times,
hosts, people, addresses and random names are left out. The rule is in mode shadow:
read it, widen or narrow its condition, say in its title what it does, then enforce it.

What is proposed passes "rules check" and "rules test". Without --out it is printed;
with it, it is written to a new file in that directory. The exit status is 1 when
nothing in the event tells it from others.`,
		Example: `  pipeline rules new --event event.json
  pipeline rules new --event event.json --action kill_process --out rules/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return n.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.file, "event", "", "file with the event; - is standard input")
	f.StringVar(&n.options.Action, "action", "", "what its step does: "+strings.Join(propose.Actions(), ", ")+" (default publish)")
	f.StringVar(&n.options.ID, "id", "", "id of the rule (default: made of what the event names)")
	f.StringVar(&n.out, "out", "", "directory for the new file, ID.yaml; without it the rule is printed")
	_ = cmd.MarkFlagRequired("event")
	_ = cmd.RegisterFlagCompletionFunc("action", cobra.FixedCompletions(propose.Actions(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// newRule is the flags of one proposal.
type newRule struct {
	file, out string
	options   propose.Options
}

func (n *newRule) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	var first *events.Event
	err := recordedEvents(ctx, n.file, stdin, stderr, func(e *events.Event) error {
		if first != nil {
			fmt.Fprintf(stderr, "%s holds several events: the first is taken, %s\n", n.file, where(first))
			return errEnough
		}
		first = e
		return nil
	})
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return err
	case first == nil:
		return fmt.Errorf("%s holds no event that can be read", n.file)
	}
	made, err := propose.From(ctx, first, n.options)
	if err != nil {
		return err
	}
	if n.out == "" {
		_, err = stdout.Write(made.Text)
		return err
	}
	return n.write(stdout, made)
}

// write makes a new file, whose rule no other file of the directory has.
func (n *newRule) write(stdout io.Writer, made propose.Proposal) error {
	if set, err := rules.Load(n.out); err == nil {
		if taken, is := set.Rule(made.ID); is {
			return fmt.Errorf("%s:%d has a rule %s already: name another with --id", taken.File, taken.Line, made.ID)
		}
	}
	if err := os.MkdirAll(n.out, 0o755); err != nil {
		return fmt.Errorf("make the directory of the new rule: %w", err)
	}
	name := filepath.Join(n.out, made.ID+".yaml")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: name another rule with --id", name)
	}
	if err != nil {
		return fmt.Errorf("write the new rule: %w", err)
	}
	_, err = f.Write(made.Text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the new rule: %w", err)
	}
	_, err = fmt.Fprintln(stdout, name)
	return err
}

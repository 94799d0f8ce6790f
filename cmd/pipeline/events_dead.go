package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
)

func newEventsDeadCommand() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Look at input that could not be used, put it back, or remove it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadListCommand(&f), newDeadShowCommand(&f), newDeadReplayCommand(&f), newDeadPurgeCommand(&f))
	return f.register(cmd)
}

func newDeadListCommand(f *serverFlags) *cobra.Command {
	var reason string
	var before uint64
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Example: `  pipeline events dead list --reason bad_json`,
		Short:   "List what is kept, the newest first",
		Args:    cobra.NoArgs,
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, _ []string) error {
			q := url.Values{"reason": {reason}, "limit": {strconv.Itoa(limit)}, "before": {strconv.FormatUint(before, 10)}}
			var page web.DeadPage
			if err := c.Get(cmd.Context(), "dead", q, &page); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			return f.print(w, page, func() { listDead(w, page) })
		}),
	}
	fl := cmd.Flags()
	fl.StringVar(&reason, "reason", "", "only those of this reason")
	fl.Uint64Var(&before, "before", 0, "only those with a smaller number; for the next part of a long list")
	fl.IntVar(&limit, "limit", 200, fmt.Sprintf("how many, %d at the most", web.MaxList))
	return cmd
}

func listDead(w io.Writer, page web.DeadPage) {
	if len(page.Letters) == 0 {
		fmt.Fprintln(w, "nothing is kept")
		return
	}
	t := newTable(w, "number", "when", "reason", "~origin", "~routing key", "bytes", "=error")
	for _, l := range page.Letters {
		t.AppendRow(table.Row{l.Sequence, clock(l.Time), printable.Line(l.Reason), printable.Line(l.Origin), printable.Line(l.RoutingKey), l.Bytes, printable.Line(l.Error)})
	}
	t.Render()
	if n := len(page.Letters); n < page.Total {
		fmt.Fprintf(w, "%d of %d; see others with --before %d\n", n, page.Total, page.Letters[n-1].Sequence)
	}
}

// shorten cuts text to n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func newDeadShowCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "show NUMBER",
		Example: `  pipeline events dead show 17`,
		Short:   "Write the body of one to standard output, byte for byte; with -o json all of it",
		Args:    cobra.ExactArgs(1),
		RunE: f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
			seqs, err := sequences(args)
			if err != nil {
				return err
			}
			var l web.DeadLetter
			if err := c.Get(cmd.Context(), "dead/"+strconv.FormatUint(seqs[0], 10), nil, &l); err != nil {
				return err
			}
			if f.output != "table" {
				return f.print(cmd.OutOrStdout(), l, nil)
			}
			_, err = forData(cmd.OutOrStdout()).Write(l.Body)
			return err
		}),
	}
}

func newDeadReplayCommand(f *serverFlags) *cobra.Command {
	return f.deadChange(&cobra.Command{
		Use:     "replay [NUMBER…]",
		Short:   "Put them back where they arrived, after what was wrong has been mended",
		Example: "  pipeline events dead replay 17 18\n  pipeline events dead replay --reason bad_json",
	}, "replayed", "put back")
}

func newDeadPurgeCommand(f *serverFlags) *cobra.Command {
	return f.deadChange(&cobra.Command{
		Use:     "purge",
		Example: `  pipeline events dead purge --reason bad_json --why 'sent by a scanner'`,
		Short:   "Remove them for good",
		Args:    cobra.NoArgs,
	}, "removed", "remove")
}

// deadChange makes a command that does something to those chosen: done says that it was
// done, verb what it does.
func (f *serverFlags) deadChange(cmd *cobra.Command, done, verb string) *cobra.Command {
	var choice web.DeadChoice
	call := "dead/" + cmd.Name()
	cmd.RunE = f.run(func(cmd *cobra.Command, c *apiclient.Client, args []string) error {
		var err error
		if choice.Sequences, err = sequences(args); err != nil {
			return err
		}
		if _, err := choice.Check(true); err != nil {
			return &usageError{errors.New("say which ones: a number, --reason or --all")}
		}
		var answer web.DeadDone
		if err := c.Post(cmd.Context(), call, choice, &answer); err != nil {
			return err
		}
		if err := f.print(cmd.OutOrStdout(), answer, func() { fmt.Fprintf(cmd.OutOrStdout(), "%d %s\n", answer.Done, done) }); err != nil {
			return err
		}
		for _, text := range answer.Failed {
			fmt.Fprintln(cmd.ErrOrStderr(), printable.Line(text))
		}
		if len(answer.Failed) > 0 {
			return errSilent
		}
		return nil
	})
	cmd.Flags().StringVar(&choice.Reason, "reason", "", verb+" those of this reason")
	cmd.Flags().BoolVar(&choice.All, "all", false, verb+" all")
	cmd.Flags().StringVar(&choice.Why, "why", "", "for the audit log")
	return cmd
}

func sequences(args []string) ([]uint64, error) {
	var out []uint64
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil {
			return nil, &usageError{fmt.Errorf("%q is not a number of the list", a)}
		}
		out = append(out, n)
	}
	return out, nil
}

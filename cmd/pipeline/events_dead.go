package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/events/jetstream"
)

func newEventsDeadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Look at input that could not be used, put it back, or remove it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadListCommand(), newDeadShowCommand(), newDeadReplayCommand(), newDeadPurgeCommand())
	return cmd
}

// deadLetters connects and hands the dead letters to do.
func (f *busFlags) deadLetters(cmd *cobra.Command, do func(context.Context, *jetstream.DeadLetters) error) error {
	b, err := f.connect(cmd.Context(), commandLog(cmd))
	if err != nil {
		return err
	}
	defer b.Close()
	return do(cmd.Context(), &jetstream.DeadLetters{JetStream: b.JetStream()})
}

func newDeadListCommand() *cobra.Command {
	var b busFlags
	var reason string
	var f outputFlag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what is kept, the oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return b.deadLetters(cmd, func(ctx context.Context, d *jetstream.DeadLetters) error {
				if f.output == "table" {
					return listDead(ctx, d, reason, cmd.OutOrStdout())
				}
				return listDeadWhole(ctx, d, reason, cmd.OutOrStdout(), f)
			})
		},
	}
	b.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "only those of this reason")
	f.register(cmd)
	return cmd
}

func listDead(ctx context.Context, d *jetstream.DeadLetters, reason string, out io.Writer) error {
	t := newTable(out, "SEQ", "TIME", "REASON", "~ORIGIN", "~ROUTING KEY", "BYTES", "=ERROR")
	n := 0
	err := d.List(ctx, reason, func(l jetstream.Dead) error {
		n++
		t.AppendRow(table.Row{l.Sequence, l.Time.UTC().Format(time.DateTime), printable.Line(l.Reason), printable.Line(l.Origin), printable.Line(l.Message.RoutingKey), l.Size, printable.Line(l.Error)})
		return nil
	})
	if err != nil {
		return err
	}
	if n == 0 {
		fmt.Fprintln(out, "nothing is kept")
		return nil
	}
	t.Render()
	return nil
}

// listDeadWhole writes one after the other, as they may be many: JSON a line each,
// YAML a document each.
func listDeadWhole(ctx context.Context, d *jetstream.DeadLetters, reason string, out io.Writer, f outputFlag) error {
	lines := json.NewEncoder(out)
	return d.List(ctx, reason, func(l jetstream.Dead) error {
		letter := map[string]any{
			"seq": l.Sequence, "time": l.Time, "reason": l.Reason, "error": l.Error, "origin": l.Origin, "bytes": l.Size,
			"exchange": l.Message.Exchange, "routing_key": l.Message.RoutingKey, "content_type": l.Message.ContentType,
			"headers": l.Message.Headers, "body_b64": l.Message.Body,
		}
		if f.output == "json" {
			return lines.Encode(letter)
		}
		fmt.Fprintln(out, "---")
		return f.print(out, letter, nil)
	})
}

// shorten cuts text to n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func newDeadShowCommand() *cobra.Command {
	var b busFlags
	cmd := &cobra.Command{
		Use:   "show SEQ",
		Short: "Write the body of one to standard output, byte for byte",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := sequences(args)
			if err != nil {
				return err
			}
			return b.deadLetters(cmd, func(ctx context.Context, d *jetstream.DeadLetters) error {
				l, err := d.Get(ctx, seqs[0])
				if err != nil {
					return err
				}
				_, err = forData(cmd.OutOrStdout()).Write(l.Message.Body)
				return err
			})
		},
	}
	b.register(cmd)
	return cmd
}

func newDeadReplayCommand() *cobra.Command {
	var b busFlags
	var which deadChoice
	cmd := &cobra.Command{
		Use:     "replay [SEQ…]",
		Short:   "Put them back where they arrived, after what was wrong has been mended",
		Example: "  pipeline events dead replay 17 18\n  pipeline events dead replay --reason bad_json",
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := which.check(args)
			if err != nil {
				return err
			}
			return b.deadLetters(cmd, func(ctx context.Context, d *jetstream.DeadLetters) error {
				return replayDead(ctx, d, seqs, which.reason, cmd.OutOrStdout(), commandLog(cmd))
			})
		},
	}
	b.register(cmd)
	which.register(cmd, "put back")
	return cmd
}

// replayDead replays those chosen. One that cannot be replayed is reported and
// the rest go on.
func replayDead(ctx context.Context, d *jetstream.DeadLetters, seqs []uint64, reason string, out io.Writer, log zerolog.Logger) error {
	done, failed := 0, 0
	one := func(l jetstream.Dead) error {
		if err := d.Replay(ctx, l); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed++
			log.Error().Err(err).Msg("not replayed")
			return nil
		}
		done++
		return nil
	}
	if len(seqs) == 0 {
		if err := d.List(ctx, reason, one); err != nil {
			return err
		}
	}
	for _, seq := range seqs {
		l, err := d.Get(ctx, seq)
		if err == nil {
			err = one(l)
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d replayed\n", done)
	if failed > 0 {
		return errSilent
	}
	return nil
}

func newDeadPurgeCommand() *cobra.Command {
	var b busFlags
	var which deadChoice
	cmd := &cobra.Command{
		Use:   "purge",
		Short: "Remove them for good",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := which.check(args); err != nil {
				return err
			}
			return b.deadLetters(cmd, func(ctx context.Context, d *jetstream.DeadLetters) error {
				n, err := d.Purge(ctx, which.reason)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d removed\n", n)
				return nil
			})
		},
	}
	b.register(cmd)
	which.register(cmd, "remove")
	return cmd
}

// deadChoice is which dead letters a command works on.
type deadChoice struct {
	reason string
	all    bool
}

func (c *deadChoice) register(cmd *cobra.Command, verb string) {
	cmd.Flags().StringVar(&c.reason, "reason", "", verb+" those of this reason")
	cmd.Flags().BoolVar(&c.all, "all", false, verb+" all")
}

// check wants exactly one way of choosing.
func (c *deadChoice) check(args []string) ([]uint64, error) {
	ways := 0
	for _, given := range []bool{c.reason != "", c.all, len(args) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, &usageError{errors.New("say which ones: a number, --reason or --all")}
	}
	return sequences(args)
}

func sequences(args []string) ([]uint64, error) {
	var out []uint64
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 64)
		if err != nil {
			return nil, &usageError{fmt.Errorf("%q is not a number from the list", a)}
		}
		out = append(out, n)
	}
	return out, nil
}

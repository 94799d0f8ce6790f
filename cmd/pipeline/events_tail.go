package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"edrpipe/internal/printable"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/expression"
)

func newEventsTailCommand() *cobra.Command {
	var b busFlags
	var w eventWatch
	var filter, output string
	var count int
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Watch the events on the bus, as rules see them",
		Long: `Watch the events on the bus, as rules see them. It takes nothing away from the
service: it reads the stream with a consumer of its own.

--filter takes the condition of a rule; see "pipeline rules docs fields" for what it
may name.`,
		Example: `  pipeline events tail --filter 'event.kind == "network" and net.remote_port == 443'
  pipeline events tail --since 1h --output json | jq .process.command_line`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t := eventTail{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), left: count}
			switch output {
			case "text":
				t.print = printEventLine
			case "json":
				t.print = printEventJSON
			default:
				return &usageError{fmt.Errorf("--output %s: want text or json", output)}
			}
			if filter != "" {
				var err error
				if t.filter, err = expression.EventScope().Condition(filter); err != nil {
					return &usageError{fmt.Errorf("--filter: %w", err)}
				}
			}
			conn, err := b.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer conn.Close()
			err = w.watch(cmd.Context(), conn, func(m events.Message) error { return t.message(&m) }, nil)
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		},
	}
	b.register(cmd)
	w.register(cmd, 0)
	f := cmd.Flags()
	f.StringVarP(&filter, "filter", "f", "", "print only events for which this condition holds")
	f.StringVarP(&output, "output", "o", "text", "text or json")
	f.IntVarP(&count, "count", "n", 0, "end after so many events; 0: go on")
	return cmd
}

// eventWatch is which events of the stream a command looks at.
type eventWatch struct {
	subject string
	since   time.Duration
}

func (w *eventWatch) register(cmd *cobra.Command, since time.Duration) {
	cmd.Flags().StringVar(&w.subject, "subject", jetstream.Prefix+".>", "look only at this subject")
	cmd.Flags().DurationVar(&w.since, "since", since, "begin with events that arrived so long ago; 0: with the next one")
}

// watch hands each message to handle until ctx ends or handle returns an error.
// CaughtUp, if not nil, is called each time nothing more is waiting.
func (w *eventWatch) watch(ctx context.Context, b *bus.Bus, handle func(events.Message) error, caughtUp func() error) error {
	config := natsjs.OrderedConsumerConfig{FilterSubjects: []string{w.subject}, DeliverPolicy: natsjs.DeliverNewPolicy}
	if w.since > 0 {
		start := time.Now().Add(-w.since)
		config.DeliverPolicy, config.OptStartTime = natsjs.DeliverByStartTimePolicy, &start
	}
	consumer, err := b.JetStream().OrderedConsumer(ctx, bus.StreamEvents, config)
	if err != nil {
		return endOfWatch(ctx, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return endOfWatch(ctx, err)
	}
	if info.NumPending == 0 && caughtUp != nil {
		if err := caughtUp(); err != nil {
			return err
		}
	}
	messages, err := consumer.Messages(natsjs.PullMaxBytes(4 << 20))
	if err != nil {
		return fmt.Errorf("events on the bus: %w", err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(natsjs.NextContext(ctx))
		if err != nil {
			return endOfWatch(ctx, err)
		}
		msg := jetstream.Decode(jetstream.Prefix, m.Subject(), m.Headers(), m.Data())
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("events on the bus: %w", err)
		}
		msg.Received = meta.Timestamp
		if _, canary := jetstream.CanaryID(&msg); !canary {
			if err := handle(msg); err != nil {
				return err
			}
		}
		if meta.NumPending == 0 && caughtUp != nil {
			if err := caughtUp(); err != nil {
				return err
			}
		}
	}
}

// endOfWatch is what a failure comes to: watching is ended by interrupting it.
func endOfWatch(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("events on the bus: %w", err)
}

// errEnough ends a watch that has seen what was asked for.
var errEnough = errors.New("enough")

// eventTail prints events.
type eventTail struct {
	out, errs io.Writer
	print     func(io.Writer, *events.Event) error
	filter    *expression.Program // nil: everything
	left      int                 // events to go; 0: no end
	decoder   events.Decoder
}

func (t *eventTail) message(m *events.Message) error {
	for e, err := range t.decoder.Events(m) {
		if err != nil {
			fmt.Fprintf(t.errs, "not an event: %s\n", printable.Line(err.Error()))
			continue
		}
		if t.filter != nil {
			yes, err := t.filter.Bool(e)
			if err != nil {
				fmt.Fprintf(t.errs, "filter: %s\n", printable.Line(err.Error()))
			}
			if err != nil || !yes {
				continue
			}
		}
		if err := t.print(t.out, e); err != nil {
			return err
		}
		if t.left--; t.left == 0 {
			return errEnough
		}
	}
	return nil
}

func printEventJSON(w io.Writer, e *events.Event) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(e)
}

// printEventLine prints what people look for first.
func printEventLine(w io.Writer, e *events.Event) error {
	sensor := e.Sensor.Hostname
	if e.Sensor.ID != "" {
		sensor = fmt.Sprintf("%s(%s)", sensor, e.Sensor.ID)
	}
	what := firstOf(e.Process.CommandLine, e.Process.Path, e.Binary.MD5)
	detail := firstOf(e.Watchlist.Name, e.Feed.Name, e.File.Path, e.Reg.Path, e.Module.Path, e.Child.Path, e.Target.Path)
	if e.Net.RemoteIP != "" {
		detail = fmt.Sprintf("%s:%d %s", e.Net.RemoteIP, e.Net.RemotePort, e.Net.Domain)
	}
	_, err := fmt.Fprintf(w, "%s  %-14s  %-20s  %s  %s\n", e.Event.Time.UTC().Format("2006-01-02 15:04:05"), e.Event.Kind, printable.Line(sensor), printable.Line(what), printable.Line(detail))
	return err
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

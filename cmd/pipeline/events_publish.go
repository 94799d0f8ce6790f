package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

func newEventsPublishCommand() *cobra.Command {
	var p eventPublisher
	var b busFlags
	var format string
	cmd := &cobra.Command{
		Use:   "publish [flags] FILE…",
		Short: "Put recorded events onto the bus",
		Long: `Put recorded events onto the bus, each where it would have arrived: on
edr.events.<server>.<routing key> for captured bus messages, on
edr.events.<server>.event for lines. It reads what "events convert" reads; FILE -
is standard input. It ends when the bus has confirmed every message; one that it
did not confirm is sent again.`,
		Example: `  pipeline events publish --nats nats://127.0.0.1:4222 recording.jsonl
  pipeline events publish --rate 500 --server edr01 events.ndjson.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			p.format = events.Format(format)
			if !slices.Contains(events.Formats, p.format) {
				return &usageError{fmt.Errorf("--format %s: want one of %v", format, events.Formats)}
			}
			conn, err := b.connect(cmd.Context(), commandLog(cmd))
			if err != nil {
				return err
			}
			defer conn.Close()
			p.bus, p.bar = conn, newReadProgress(cmd.ErrOrStderr(), files)
			return p.run(cmd.Context(), files, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	b.register(cmd)
	f := cmd.Flags()
	f.StringVar(&format, "format", string(events.FormatAuto), "what the files hold: auto, bus, forwarder, cbc")
	f.StringVar(&p.server, "server", "", "name of the EDR server, part of the subject")
	f.StringVar(&p.subject, "subject", "", "publish everything on this subject instead")
	f.Float64Var(&p.rate, "rate", 0, "messages a second; 0: as fast as the bus takes them")
	f.BoolVar(&p.once, "once", false, "leave out what the bus has had within its duplicate window, by content")
	return cmd
}

// republish bounds how often one message is sent before publishing is given up,
// a second apart; maxFailed how many are kept for that.
const (
	republish = 10
	maxFailed = 1000
)

// eventPublisher publishes files.
type eventPublisher struct {
	bus     *bus.Bus
	format  events.Format
	server  string
	subject string
	rate    float64
	once    bool

	carrier *jetstream.Publisher
	limit   *rate.Limiter
	bar     *readProgress
	nonce   string // makes the ids of this run differ from those of others
	sent    int

	onTheWay sync.WaitGroup
	mu       sync.Mutex // guards failed
	failed   []failedMessage
}

type failedMessage struct {
	message  events.Message
	attempts int
	err      error
}

func (p *eventPublisher) run(ctx context.Context, files []string, stdin io.Reader, stdout io.Writer) error {
	p.carrier = jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: p.bus.JetStream(), Subject: p.subject})
	p.limit = rate.NewLimiter(rate.Inf, 1)
	if p.rate > 0 {
		p.limit = rate.NewLimiter(rate.Limit(p.rate), max(1, int(p.rate/10)))
	}
	p.nonce = strconv.FormatInt(time.Now().UnixNano(), 36)
	began := time.Now()
	err := p.files(ctx, files, stdin)
	if cerr := p.carrier.Close(); err == nil {
		err = cerr
	}
	p.bar.End()
	stats := p.carrier.Stats()
	fmt.Fprintf(stdout, "%d messages on the bus in %v", stats.Published-stats.Duplicates, time.Since(began).Round(time.Millisecond))
	if stats.Duplicates > 0 {
		fmt.Fprintf(stdout, ", %d were there already", stats.Duplicates)
	}
	fmt.Fprintln(stdout)
	return err
}

// files publishes all files and returns when everything is confirmed.
func (p *eventPublisher) files(ctx context.Context, files []string, stdin io.Reader) error {
	for _, name := range files {
		if err := p.file(ctx, name, stdin); err != nil {
			return err
		}
	}
	for {
		p.onTheWay.Wait()
		if again, err := p.again(ctx); err != nil || !again {
			return err
		}
	}
}

func (p *eventPublisher) file(ctx context.Context, name string, stdin io.Reader) error {
	in, err := openInput(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	for rec, err := range events.ReadRecording(p.bar.reading(in), p.format) {
		// A line that is no message is published as it is: finding that out, and
		// keeping it, is what the service does.
		if reject := (*events.Reject)(nil); err != nil && !errors.As(err, &reject) {
			return fmt.Errorf("%s:%d: %w", name, rec.Line, err)
		}
		if err := p.limit.Wait(ctx); err != nil {
			return err
		}
		if err := p.send(ctx, p.message(rec)); err != nil {
			return err
		}
		p.bar.show(p.sent)
	}
	return nil
}

// message is what a record becomes on the bus.
func (p *eventPublisher) message(rec events.Recorded) events.Message {
	m := rec.Message
	if m.Server == "" {
		m.Server = p.server
	}
	p.sent++
	if !p.once {
		m.ID = p.nonce + "/" + strconv.Itoa(p.sent)
	}
	return m
}

func (p *eventPublisher) send(ctx context.Context, m events.Message) error {
	p.mu.Lock()
	tooMany := len(p.failed) >= maxFailed
	p.mu.Unlock()
	if tooMany {
		if _, err := p.again(ctx); err != nil {
			return err
		}
	}
	return p.carry(ctx, failedMessage{message: m})
}

func (p *eventPublisher) carry(ctx context.Context, f failedMessage) error {
	p.onTheWay.Add(1)
	m := f.message
	m.Settle = func(err error) {
		defer p.onTheWay.Done()
		if err == nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed = append(p.failed, failedMessage{f.message, f.attempts + 1, err})
	}
	return p.carrier.Carry(ctx, m)
}

// again sends what was not confirmed once more; it reports whether there was any.
func (p *eventPublisher) again(ctx context.Context) (bool, error) {
	p.mu.Lock()
	failed := p.failed
	p.failed = nil
	p.mu.Unlock()
	if len(failed) == 0 {
		return false, nil
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(time.Second):
	}
	for _, f := range failed {
		if f.attempts >= republish || errors.Is(f.err, jetstream.ErrTooLarge) {
			return false, fmt.Errorf("a message was not taken after %d attempts: %w", f.attempts, f.err)
		}
		if err := p.carry(ctx, f); err != nil {
			return false, err
		}
	}
	return true, nil
}

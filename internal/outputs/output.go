package outputs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/health"
	"edrpipe/internal/pace"
	"edrpipe/pkg/bus"
)

// Message is one thing that is forwarded.
type Message struct {
	ID   string // the CloudEvent's; the same for a repetition
	Time time.Time
	Body []byte // JSON in the output's format, without a line feed
}

// A Sink is a destination. Send blocks until it has taken all messages or none; an error
// that is ErrRefused will not change by sending them again.
type Sink interface {
	Send(ctx context.Context, batch []Message) error
	Close() error
}

// ErrRefused is the error of a destination that does not take these messages, whenever
// they are sent.
var ErrRefused = errors.New("the destination refuses the content")

// Kinds of what is forwarded, each a subject of the bus.
var subjects = map[string]struct{ stream, subject string }{
	"results":   {bus.StreamResults, "edr.results.>"},
	"published": {bus.StreamResults, "edr.published.>"},
	"decisions": {bus.StreamJobs, "edr.jobs.*.decision"},
}

// Kinds lists what can be forwarded.
func Kinds() []string { return []string{"decisions", "published", "results"} }

// ackWait is after which a replica that died loses its batch to another.
const ackWait = time.Minute

// Config of an Output. All fields but Rules and Retry are required.
type Config struct {
	Name      string // of its cursor and of its check
	JetStream jetstream.JetStream
	Only      []string // Kinds
	Rules     []string // whose messages are forwarded; empty: all
	Format    Format
	Sink      Sink
	Dead      func(ctx context.Context, m jetstream.Msg, why error) error // keeps what the destination refuses
	Retry     time.Duration                                               // before the second attempt, doubled with each further one; 0: 1 s
	Log       zerolog.Logger
}

// Output forwards to one destination.
type Output struct {
	c Config

	sending sync.Mutex // the destination gets one batch at a time

	mu      sync.Mutex
	failing error            // why the destination failed at the latest attempt; nil: it did not
	unread  map[string]error // why a stream cannot be read, by its name
	sent    uint64
	refused uint64
}

// New checks a configuration.
func New(c Config) (*Output, error) {
	for _, kind := range c.Only {
		if _, ok := subjects[kind]; !ok {
			return nil, fmt.Errorf("output %s: %q is none of %s", c.Name, kind, strings.Join(Kinds(), ", "))
		}
	}
	if len(c.Only) == 0 {
		return nil, fmt.Errorf("output %s: it forwards nothing", c.Name)
	}
	c.Retry = cmp.Or(c.Retry, time.Second)
	return &Output{c: c, unread: map[string]error{}}, nil
}

// Run forwards until ctx ends, and closes the destination.
func (o *Output) Run(ctx context.Context) error {
	var g errgroup.Group
	for stream, filters := range o.streams() {
		g.Go(func() error { o.follow(ctx, stream, filters); return nil })
	}
	return errors.Join(g.Wait(), o.c.Sink.Close())
}

// streams are the subjects that are read, by stream.
func (o *Output) streams() map[string][]string {
	all := map[string][]string{}
	for _, kind := range o.c.Only {
		s := subjects[kind]
		if !slices.Contains(all[s.stream], s.subject) {
			all[s.stream] = append(all[s.stream], s.subject)
		}
	}
	return all
}

// follow forwards what one stream has, until ctx ends. A lost consumer is made again.
func (o *Output) follow(ctx context.Context, stream string, filters []string) {
	for failures := 0; ctx.Err() == nil; failures++ {
		forwarded, err := o.read(ctx, stream, filters)
		if forwarded {
			failures = 0
		}
		if ctx.Err() == nil {
			o.reading(stream, err)
			_ = pace.Sleep(ctx, pace.Backoff(o.c.Retry, failures, longestPause))
		}
	}
}

// read forwards batches until reading fails or ctx ends, and reports whether there was
// one. What is not acknowledged then is delivered again.
func (o *Output) read(ctx context.Context, stream string, filters []string) (forwarded bool, err error) {
	consumer, err := o.c.JetStream.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: "output-" + bus.Token(o.c.Name), Description: "output " + o.c.Name, FilterSubjects: filters,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: 1000,
	})
	if err != nil {
		return false, err
	}
	o.reading(stream, nil)
	for {
		some, err := batch(ctx, consumer)
		if err != nil {
			return forwarded, err
		}
		if err := o.settle(ctx, some); err != nil {
			return forwarded, err
		}
		forwarded = true
	}
}

const longestPause = 30 * time.Second

// settle brings one batch to its end. It returns an error only if ctx ends before.
func (o *Output) settle(ctx context.Context, some []jetstream.Msg) error {
	var batch []Message
	var from []jetstream.Msg
	for _, m := range some {
		message, keep, err := o.message(m)
		switch {
		case err != nil:
			if err := o.bury(ctx, m, err); err != nil {
				return err
			}
		case !keep:
			_ = m.Ack() // else it comes again and is left out again
		default:
			batch, from = append(batch, message), append(from, m)
		}
	}
	if len(batch) == 0 {
		return nil
	}
	err := o.send(ctx, batch, from)
	if !errors.Is(err, ErrRefused) {
		return err
	}
	for i := range batch { // one of them is refused, and the others are not to be lost with it
		if err = o.send(ctx, batch[i:i+1], from[i:i+1]); errors.Is(err, ErrRefused) {
			err = o.bury(ctx, from[i], err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// send tries until the destination has taken or refused the messages, or ctx ends.
func (o *Output) send(ctx context.Context, batch []Message, from []jetstream.Msg) error {
	for failures := 0; ; failures++ {
		o.sending.Lock()
		err := o.c.Sink.Send(ctx, batch)
		o.sending.Unlock()
		if err == nil {
			o.note(len(batch), 0, nil)
			for _, m := range from {
				_ = m.Ack() // else it comes again: at least once
			}
			return nil
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		o.note(0, 0, err)
		for _, m := range from {
			_ = m.InProgress() // else it comes to another replica, which waits as well
		}
		if pace.Sleep(ctx, pace.Backoff(o.c.Retry, failures, longestPause)) != nil {
			return context.Cause(ctx)
		}
	}
}

// bury makes a message a dead letter; until that is written it is not acknowledged.
func (o *Output) bury(ctx context.Context, m jetstream.Msg, why error) error {
	o.c.Log.Warn().Str("output", o.c.Name).Str("subject", m.Subject()).Err(why).Msg("a message became a dead letter")
	for failures := 0; ; failures++ {
		err := o.c.Dead(ctx, m, fmt.Errorf("output %s: %w", o.c.Name, why))
		if err == nil {
			o.note(0, 1, nil)
			_ = m.Ack()
			return nil
		}
		o.note(0, 0, fmt.Errorf("writing a dead letter: %w", err))
		_ = m.InProgress()
		if pace.Sleep(ctx, pace.Backoff(o.c.Retry, failures, longestPause)) != nil {
			return context.Cause(ctx)
		}
	}
}

// note records how the latest attempt ended.
func (o *Output) note(sent, refused int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && o.failing == nil {
		o.c.Log.Warn().Str("output", o.c.Name).Err(err).Msg("the output fails; it is tried again without end")
	}
	o.sent, o.refused, o.failing = o.sent+uint64(sent), o.refused+uint64(refused), err
}

// reading records whether a stream can be read.
func (o *Output) reading(stream string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		delete(o.unread, stream)
		return
	}
	o.unread[stream] = err
	o.c.Log.Warn().Str("output", o.c.Name).Str("stream", stream).Err(err).Msg("the stream cannot be read; it is tried again")
}

// Check is whether the destination takes what it is sent.
func (o *Output) Check() health.Check {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := "output/" + o.c.Name
	for stream, err := range o.unread {
		return health.Bad(name, health.Degraded, "see what the check of the bus says", "stream %s cannot be read: %v", stream, err)
	}
	if o.failing != nil {
		return health.Bad(name, health.Degraded, "see that the destination works; nothing is lost while its messages are kept on the bus", "%v", o.failing)
	}
	evidence := fmt.Sprintf("%d messages forwarded since the start", o.sent)
	if o.refused > 0 {
		evidence += fmt.Sprintf(", %d refused: pipeline dead list", o.refused)
	}
	return health.Good(name, evidence)
}

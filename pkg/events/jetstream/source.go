package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// Config of a Source. Only JetStream, Stream and Durable are required.
type Config struct {
	JetStream natsjs.JetStream
	Stream    string   // EVENTS
	Durable   string   // consumer that all replicas share; created when missing
	Subjects  []string // filter; empty: the whole stream
	Prefix    string   // of subjects; empty: edr.events
	Server    string   // name of the EDR server where neither header nor subject has one
	Alone     bool     // no other process reads by this consumer: twice as fast, and safe should one do so after all

	Pull       int           // messages fetched ahead; 0: 2000
	MaxPending int           // unsettled messages over all replicas; 0: 20000
	AckWait    time.Duration // how long after a crash its messages are delivered elsewhere; 0: 30 s
	RetryMax   time.Duration // longest wait before a message that failed comes again; 0: 30 s

	// Repair makes the stream when it is missing; nil: its absence is reported.
	Repair func(context.Context) error

	Now func() time.Time // what messages are stamped with as received; nil: time.Now

	Log zerolog.Logger
}

// Source reads a stream through a durable pull consumer, at least once.
type Source struct {
	c     Config
	share bool                  // even if told to be alone; of Read
	run   atomic.Pointer[floor] // of the run that reads alone; nil: none does

	trouble atomic.Pointer[Trouble]   // nil: messages are read
	known   atomic.Pointer[settledTo] // nil: nothing is
	made    time.Time                 // the stream; of Read
	backs   []time.Time               // when settings were set back; of Read
}

// Trouble is why a source does not read.
type Trouble struct {
	Since time.Time
	Err   error
}

// New returns a source; Read creates or finds its consumer.
func New(c Config) *Source {
	defaults := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	defaults(&c.Pull, 2000)
	defaults(&c.MaxPending, 20_000)
	if c.AckWait == 0 {
		c.AckWait = 30 * time.Second
	}
	if c.RetryMax == 0 {
		c.RetryMax = 30 * time.Second
	}
	if c.Prefix == "" {
		c.Prefix = Prefix
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Source{c: c}
	s.troubled(errors.New("reading has not begun"))
	return s
}

// Trouble returns why no messages are read and since when; nil: they are.
func (s *Source) Trouble() *Trouble { return s.trouble.Load() }

// troubled notes why messages are not read; nil: they are. Read calls it.
func (s *Source) troubled(err error) {
	was := s.trouble.Load()
	switch {
	case err == nil && was != nil:
		s.trouble.Store(nil)
		s.c.Log.Info().Str("source", s.Name()).Msg("messages are read")
	case err != nil && was != nil:
		s.trouble.Store(&Trouble{was.Since, err})
	case err != nil:
		s.trouble.Store(&Trouble{s.c.Now(), err})
	}
}

// Name is nats:<stream>/<durable>.
func (s *Source) Name() string { return "nats:" + s.c.Stream + "/" + s.c.Durable }

// Above is how many messages a source that reads alone has read which are not
// acknowledged: settled ones too, above one that is not. Otherwise the consumer
// itself knows, and both are 0.
func (s *Source) Above() (settled, unsettled int) {
	if f := s.run.Load(); f != nil {
		_, settled, unsettled = f.now()
	}
	return settled, unsettled
}

// Close does nothing: the connection belongs to whoever made it.
func (s *Source) Close() error { return nil }

// Read delivers messages until ctx ends; it then waits until those that handle
// has kept are settled, for AckWait at most. Only an error of handle is final:
// everything else is tried again, and Trouble returns why meanwhile.
func (s *Source) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	retry := backoff.NewExponentialBackOff()
	retry.MaxInterval = 10 * time.Second
	for {
		began := time.Now()
		err := s.consume(ctx, handle)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errShared) || errors.Is(err, errStuck) {
			s.c.Log.Warn().Err(err).Str("source", s.Name()).Msg("events are acknowledged one by one from here on")
			s.share = true
			continue
		}
		var final handlerError
		if errors.As(err, &final) {
			return fmt.Errorf("read %s: %w", s.Name(), final.error)
		}
		s.troubled(err)
		if time.Since(began) > retry.MaxInterval {
			retry.Reset()
		}
		wait := retry.NextBackOff()
		s.c.Log.Warn().Err(err).Str("source", s.Name()).Dur("again_in", wait).Msg("events are not being read")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// errConsumerEnded: the server or the client library gave the consumer up.
var errConsumerEnded = errors.New("the consumer ended")

// handlerError is an error of the function that takes the messages.
type handlerError struct{ error }

// decode maps a delivery to the message that it carries.
func (c *Config) decode(m natsjs.Msg) events.Message {
	msg := Decode(c.Prefix, m.Subject(), m.Headers(), m.Data())
	msg.Received = c.Now()
	if msg.Server == "" {
		msg.Server = c.Server
	}
	return msg
}

// consume reads until ctx ends or something breaks.
func (s *Source) consume(ctx context.Context, handle func(context.Context, events.Message) error) error {
	if s.c.Alone && !s.share {
		return s.consumeAlone(ctx, handle)
	}
	return s.consumeShared(ctx, handle)
}

// pullBytes bounds what is under way to this client, in bytes: a server cuts off one that
// takes 64 MiB too slowly.
const pullBytes = 16 << 20

// consumeShared reads by the durable consumer, which gives each message to one of
// all that read by it.
func (s *Source) consumeShared(ctx context.Context, handle func(context.Context, events.Message) error) error {
	consumer, err := s.consumer(ctx)
	if err != nil {
		return err
	}
	r := &reader{Config: s.c, source: s, unsettled: new(inflight.Window[natsjs.Msg]), broken: make(chan error, 1)}
	running, err := consumer.Consume(
		func(m natsjs.Msg) { r.deliver(ctx, m, handle) },
		natsjs.PullMaxMessagesWithBytesLimit(s.c.Pull, pullBytes),
		natsjs.ConsumeErrHandler(func(_ natsjs.ConsumeContext, err error) { r.breaks(fmt.Errorf("%w: %w", errConsumerEnded, err)) }))
	if err != nil {
		return err
	}
	err = r.keep(ctx, running.Closed())
	running.Stop()
	<-running.Closed()
	r.drain()
	return err
}

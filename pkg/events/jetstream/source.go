package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
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

	Now func() time.Time // what messages are stamped with as received; nil: time.Now

	Log zerolog.Logger
}

// Source reads a stream through a durable pull consumer, at least once.
type Source struct {
	c     Config
	share bool                  // even if told to be alone; of Read
	run   atomic.Pointer[floor] // of the run that reads alone; nil: none does
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
	return &Source{c: c}
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
// has kept are settled, for AckWait at most. Lost connections and a deleted
// consumer are mended; a stream that does not exist, a consumer that was made for
// other settings and an error of handle are final.
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
		if !mendable(err) {
			return fmt.Errorf("read %s: %w", s.Name(), err)
		}
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

// mendable tells faults of the bus, which pass, from those of the configuration.
func mendable(err error) bool {
	for _, e := range []error{
		errConsumerEnded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrReconnectBufExceeded, // with no buffer: said before the loss of the connection is
		nats.ErrNoServers, natsjs.ErrConsumerDeleted, natsjs.ErrConsumerNotFound, natsjs.ErrNoHeartbeat, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var api *natsjs.APIError
	return errors.As(err, &api) && api.Code >= 500 && api.ErrorCode != natsjs.JSErrCodeConsumerCreate
}

func (s *Source) consumer(ctx context.Context) (natsjs.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return s.c.JetStream.CreateOrUpdateConsumer(ctx, s.c.Stream, natsjs.ConsumerConfig{
		Durable:        s.c.Durable,
		Description:    "edrpipe: events on their way to jobs",
		AckPolicy:      natsjs.AckExplicitPolicy, // acknowledging many at once would include those that a killed reader held
		AckWait:        s.c.AckWait,
		MaxAckPending:  s.c.MaxPending,
		MaxDeliver:     -1, // a message leaves when it is settled, never by count
		FilterSubjects: s.c.Subjects,
	})
}

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

// consumeShared reads by the durable consumer, which gives each message to one of
// all that read by it.
func (s *Source) consumeShared(ctx context.Context, handle func(context.Context, events.Message) error) error {
	consumer, err := s.consumer(ctx)
	if err != nil {
		return err
	}
	r := &reader{Config: s.c, unsettled: new(inflight.Window[natsjs.Msg]), failed: make(chan error, 1)}
	running, err := consumer.Consume(
		func(m natsjs.Msg) { r.deliver(ctx, m, handle) },
		natsjs.PullMaxMessages(s.c.Pull),
		natsjs.ConsumeErrHandler(func(_ natsjs.ConsumeContext, err error) {
			s.c.Log.Debug().Err(err).Str("source", s.Name()).Msg("pulling events")
		}))
	if err != nil {
		return err
	}
	err = r.keep(ctx, running.Closed())
	running.Stop()
	<-running.Closed()
	r.drain()
	return err
}

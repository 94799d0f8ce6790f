package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/bus/grouped"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// PublisherConfig of a Publisher. Only JetStream is required.
type PublisherConfig struct {
	JetStream natsjs.JetStream
	Prefix    string        // of subjects; empty: edr.events
	Subject   string        // one for all messages, whatever they are; empty: by server and routing key
	Window    int           // messages on their way to the stream; 0: 1000
	Timeout   time.Duration // how long the stream may take to confirm one; 0: 20 s

	// Dead takes messages that the bus refuses for their size even after they were
	// split. Without it they are an error.
	Dead *DeadLetters

	// Ended is told how each message ended: nil, or why the stream has not
	// confirmed it. nil: nobody is.
	Ended func(error)

	Log zerolog.Logger
}

// Publisher puts messages onto the bus and settles each when the stream has it. Messages
// that come while others are written are written together next, as one atomic batch
// where that is quicker (group commit); their order is kept, and one message alone does
// not wait for others.
// Its Carry is the handler with which any source is bridged:
//
//	source.Read(ctx, publisher.Carry)
type Publisher struct {
	c      PublisherConfig
	queue  chan carried
	writer sync.WaitGroup
	costs  grouped.Costs // of the writer
	stats  counters
}

// ErrTooLarge: a single event is beyond what the bus takes (max_payload).
var ErrTooLarge = errors.New("larger than the bus takes")

// NewPublisher starts a publisher; Close ends it.
func NewPublisher(c PublisherConfig) *Publisher {
	if c.Prefix == "" {
		c.Prefix = Prefix
	}
	if c.Window == 0 {
		c.Window = 1000
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	if c.Ended == nil {
		c.Ended = func(error) {}
	}
	p := &Publisher{c: c, queue: make(chan carried, c.Window)}
	p.writer.Go(p.write)
	return p
}

// Close waits until everything that was carried is settled. Carry must not be
// called any more.
func (p *Publisher) Close() error {
	close(p.queue)
	p.writer.Wait()
	return nil
}

// Stats is what the publisher has done so far.
func (p *Publisher) Stats() PublishStats { return p.stats.read() }

// Carry sends m and returns; m is settled when the stream has confirmed it, or
// with an error when it has not. It waits while Window messages are on their way.
// What is larger than the bus takes is split by event; an event that is too large
// by itself becomes a dead letter.
func (p *Publisher) Carry(ctx context.Context, m events.Message) error {
	settle := m.Settle
	if settle == nil {
		settle = func(error) {}
	}
	msg := p.encode(m)
	limit := int(p.c.JetStream.Conn().MaxPayload()) - headerSize(msg.Header)
	if len(m.Body) <= limit {
		return p.send(ctx, msg, settle)
	}
	parts, tooLarge := Shrink(m, limit)
	p.c.Log.Warn().Int("bytes", len(m.Body)).Int("limit", limit).Int("parts", len(parts)).Int("refused", len(tooLarge)).
		Str("routing_key", m.RoutingKey).Msg("message is larger than the bus takes: split")
	part := inflight.All(len(parts)+len(tooLarge), settle)
	for _, big := range tooLarge {
		part(p.refuse(ctx, big))
	}
	for _, small := range parts {
		if err := p.send(ctx, p.encode(small), part); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) encode(m events.Message) *nats.Msg {
	msg := Encode(p.c.Prefix, m)
	if p.c.Subject != "" {
		msg.Subject = p.c.Subject
	}
	return msg
}

// refuse keeps what fits of an event that does not.
func (p *Publisher) refuse(ctx context.Context, m events.Message) error {
	err := fmt.Errorf("event of %d bytes is %w", len(m.Body), ErrTooLarge)
	p.stats.refused.Add(1)
	if p.c.Dead == nil {
		return err
	}
	return p.c.Dead.Write(ctx, "too_large", m, err)
}

func (p *Publisher) send(ctx context.Context, m *nats.Msg, settle func(error)) error {
	select {
	case p.queue <- carried{m, time.Now().Add(p.c.Timeout), settle}:
	case <-ctx.Done():
		settle(ctx.Err())
	}
	return nil
}

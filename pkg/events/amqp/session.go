package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/inflight"
)

// session is one connection, from dialling to its end.
type session struct {
	Config
	handle    func(context.Context, events.Message) error
	unsettled inflight.Window[struct{}]

	acks  acknowledger
	mu    sync.Mutex             // guards later and ended
	later map[uint64]*time.Timer // messages to be given back, by delivery tag
	ended bool
}

// handlerError tells the handler's errors from the broker's.
type handlerError struct{ error }

// The errors of an attempt to read that have a cure of their own.
var (
	ErrRefused    = errors.New("RabbitMQ refuses to sign us in") // it answers, and accepts neither this user nor this way to sign in
	ErrAccess     = errors.New("password or certificates cannot be read")
	ErrNoExchange = errors.New("none of the exchanges exists: is this an EDR server?")
)

var errLost = errors.New("connection lost")

// run reads until ctx ends or the connection breaks.
func (s *session) run(ctx context.Context, established func(*amqp091.Connection)) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // what was not acknowledged returns to the queue, whether or not this works
	ch, err := s.open(conn)
	if err != nil {
		return err
	}
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	const tag = "edrpipe"
	deliveries, err := ch.Consume(s.Queue.Name, tag, false, false, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	established(conn)
	defer s.stopTimers()
	s.acks.start(ch.Ack, func(tag uint64) { s.unsettled.Done(tag) })
	defer s.acks.stop()
	if err := s.deliver(ctx, deliveries, closed); err != nil {
		return err
	}
	return s.drain(ch, tag, deliveries)
}

func (s *session) dial(ctx context.Context) (*amqp091.Connection, error) {
	const patience = 10 * time.Second
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("edrpipe")
	conn, err := amqp091.DialConfig(s.URL, amqp091.Config{
		TLSClientConfig: s.TLS,
		SASL:            s.signIn(),
		Heartbeat:       10 * time.Second,
		Properties:      properties,
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			// The handshakes have this long; the library lifts it afterwards.
			return c, c.SetDeadline(time.Now().Add(patience))
		},
	})
	var broker *amqp091.Error
	switch {
	case errors.As(err, &broker) && broker.Code == amqp091.AccessRefused:
		return nil, fmt.Errorf("connect: %w: %w", ErrRefused, err)
	case err != nil:
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// open makes the channel, the queue and its bindings.
func (s *session) open(conn *amqp091.Connection) (*amqp091.Channel, error) {
	bindings, err := s.present(conn)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	if err := ch.Qos(s.Prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("prefetch: %w", err)
	}
	q := s.Queue
	if _, err := ch.QueueDeclare(q.Name, !q.Transient, q.AutoDelete, false, false, q.arguments()); err != nil {
		return nil, fmt.Errorf("queue %s (one that exists with other arguments must be deleted first, or take another name): %w", q.Name, err)
	}
	for _, b := range bindings {
		keys := b.Keys
		if len(keys) == 0 {
			keys = []string{""}
		}
		for _, k := range keys {
			if err := ch.QueueBind(q.Name, k, b.Exchange, false, nil); err != nil {
				return nil, fmt.Errorf("bind %q of %s: %w", k, b.Exchange, err)
			}
		}
	}
	return ch, nil
}

// present leaves out exchanges that the server does not have. Asking closes the
// channel when the answer is no, so each question has a channel of its own.
func (s *session) present(conn *amqp091.Connection) ([]Binding, error) {
	var found []Binding
	for _, b := range s.Bindings {
		ch, err := conn.Channel()
		if err != nil {
			return nil, fmt.Errorf("channel: %w", err)
		}
		err = ch.ExchangeDeclarePassive(b.Exchange, "topic", true, false, false, false, nil) // passive: only the name counts
		var broker *amqp091.Error
		switch {
		case err == nil:
			found = append(found, b)
			if err := ch.Close(); err != nil {
				return nil, fmt.Errorf("channel: %w", err)
			}
		case errors.As(err, &broker) && broker.Code == amqp091.NotFound:
			s.Log.Warn().Str("exchange", b.Exchange).Msg("the EDR server has no such exchange: nothing comes from it")
		default:
			return nil, fmt.Errorf("exchange %s: %w", b.Exchange, err)
		}
	}
	if len(found) == 0 {
		return nil, ErrNoExchange
	}
	return found, nil
}

// deliver hands over messages until ctx ends.
func (s *session) deliver(ctx context.Context, deliveries <-chan amqp091.Delivery, closed <-chan *amqp091.Error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case d, ok := <-deliveries:
			if !ok {
				return lost(closed)
			}
			err := s.handle(ctx, s.message(d))
			if err == nil {
				continue
			}
			s.acks.returns(d.DeliveryTag) // nobody settles it: it returns to the queue
			s.unsettled.Done(d.DeliveryTag)
			if ctx.Err() != nil {
				return nil
			}
			return &handlerError{err}
		}
	}
}

// lost is why the deliveries ended.
func lost(closed <-chan *amqp091.Error) error {
	select {
	case err := <-closed:
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	default: // the broker cancelled the consumer: the queue was deleted
	}
	return errLost
}

// message is what a delivery holds.
func (s *session) message(d amqp091.Delivery) events.Message {
	s.unsettled.Add(d.DeliveryTag, struct{}{})
	s.acks.delivered(d.DeliveryTag)
	return events.Message{
		Body:        d.Body,
		ContentType: d.ContentType,
		Exchange:    d.Exchange,
		RoutingKey:  d.RoutingKey,
		Headers:     headers(d.Headers),
		Transport:   "amqp",
		Server:      s.Server,
		Received:    time.Now(),
		Settle:      func(err error) { s.settle(d, err) },
	}
}

// settle acknowledges, or gives the message back after a while. Whether it
// reaches the broker does not matter: what is not acknowledged comes again.
func (s *session) settle(d amqp091.Delivery, err error) {
	if err == nil {
		s.acks.settle(d.DeliveryTag)
		return
	}
	s.acks.returns(d.DeliveryTag)
	s.Log.Debug().Err(err).Str("routing_key", d.RoutingKey).Msg("event goes back to the queue")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended { // the end of the connection gives it back
		s.unsettled.Done(d.DeliveryTag)
		return
	}
	if s.later == nil {
		s.later = map[uint64]*time.Timer{}
	}
	s.later[d.DeliveryTag] = time.AfterFunc(s.Requeue, func() { s.giveBack(d) })
}

func (s *session) giveBack(d amqp091.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	delete(s.later, d.DeliveryTag)
	_ = d.Nack(false, true)
	s.acks.gaveBack(d.DeliveryTag) // not before: a later acknowledgement would take it along
	s.unsettled.Done(d.DeliveryTag)
}

// stopTimers ends what settle has started.
func (s *session) stopTimers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for tag, t := range s.later {
		t.Stop()
		s.unsettled.Done(tag)
	}
}

// drain asks for no more and waits until what was delivered is settled. Messages
// that arrived meanwhile return to the queue with the connection's end.
func (s *session) drain(ch *amqp091.Channel, tag string, deliveries <-chan amqp091.Delivery) error {
	if err := ch.Cancel(tag, true); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	s.stopTimers()
	timer := time.NewTimer(s.Drain)
	defer timer.Stop()
	idle := s.unsettled.Idle()
	for {
		select {
		case <-idle:
			return nil
		case <-timer.C:
			return nil
		case _, ok := <-deliveries:
			if !ok {
				deliveries = nil
			}
		}
	}
}

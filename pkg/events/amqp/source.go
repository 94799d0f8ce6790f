package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/rabbitmq/amqp091-go"

	"edrpipe/pkg/events"
)

// Source reads a queue of its own on the EDR server's bus, at least once.
type Source struct {
	c     Config
	where string // host:port
	conn  atomic.Pointer[amqp091.Connection]

	trouble atomic.Pointer[error] // of the latest session that ended; nil: none has
}

// New returns a source; nothing is connected before Read.
func New(c Config) (*Source, error) {
	c, uri, err := c.check()
	if err != nil {
		return nil, err
	}
	return &Source{c: c, where: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))}, nil
}

// Name is amqp:<host>:<port>/<queue>.
func (s *Source) Name() string { return "amqp:" + s.where + "/" + s.c.Queue.Name }

// Close does nothing: the connection lives as long as Read.
func (s *Source) Close() error { return nil }

// Read delivers messages until ctx ends; it then waits for Drain until those that
// handle has kept are settled. What is not goes back to the queue. It connects
// again for as long as it takes, at intervals that grow to 30 s. Unless Persist is
// set, what is wrong from the start (password, exchanges, a queue that exists with
// other arguments) is final. An error of handle always is.
func (s *Source) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	retry := backoff.NewExponentialBackOff()
	retry.MaxInterval = 30 * time.Second
	worked := s.c.Persist
	for {
		err := s.session(ctx, handle, func() {
			worked = true
			retry.Reset()
		})
		var handler *handlerError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &handler):
			return fmt.Errorf("%s: %w", s.Name(), handler.error)
		case !worked && hopeless(err):
			return fmt.Errorf("%s: %w", s.Name(), err)
		}
		s.trouble.Store(&err)
		wait := retry.NextBackOff()
		s.c.Log.Warn().Err(err).Str("source", s.Name()).Dur("again_in", wait).Msg(unread(err))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// session reads by one connection until ctx ends or the connection breaks. established is
// called when messages can arrive.
func (s *Source) session(ctx context.Context, handle func(context.Context, events.Message) error, established func()) error {
	c, err := s.c.renewed()
	if err != nil {
		return err
	}
	defer s.conn.Store(nil)
	ses := &session{Config: c, handle: handle}
	return ses.run(ctx, func(conn *amqp091.Connection) {
		established()
		s.conn.Store(conn)
		s.c.Log.Info().Str("source", s.Name()).Msg("reading events")
	})
}

// unread is the log message for an attempt that failed.
func unread(err error) string {
	switch {
	case errors.Is(err, ErrRefused):
		return "EDR bus refuses to sign us in; no events are read from it until it accepts the password"
	case errors.Is(err, ErrAccess), hopeless(err):
		return "EDR bus cannot be read as it is configured; no events are read from it"
	}
	return "EDR bus is out of reach"
}

// Trouble returns why no messages can arrive: the error of the latest attempt to read, or
// ErrNotReading before the first has ended. Nil: they can.
func (s *Source) Trouble() error {
	if s.conn.Load() != nil {
		return nil
	}
	if err := s.trouble.Load(); err != nil {
		return *err
	}
	return ErrNotReading
}

// hopeless errors do not pass by waiting.
func hopeless(err error) bool {
	var broker *amqp091.Error
	if errors.Is(err, ErrNoExchange) {
		return true
	}
	if !errors.As(err, &broker) {
		return false
	}
	switch broker.Code {
	case amqp091.AccessRefused, amqp091.PreconditionFailed, amqp091.NotAllowed, amqp091.ResourceLocked:
		return true
	}
	return false
}

// ErrNotReading: the depth is known only while Read is connected.
var ErrNotReading = errors.New("not connected to the EDR bus")

// Depth is how many messages wait in the queue on the EDR server.
func (s *Source) Depth() (int, error) {
	conn := s.conn.Load()
	if conn == nil {
		return 0, ErrNotReading
	}
	ch, err := conn.Channel()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.Name(), err)
	}
	defer func() { _ = ch.Close() }() // the broker closes it by itself after an error
	q, err := ch.QueueDeclarePassive(s.c.Queue.Name, !s.c.Queue.Transient, s.c.Queue.AutoDelete, false, false, nil)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", s.Name(), err)
	}
	return q.Messages, nil
}

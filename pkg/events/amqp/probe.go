package amqp

import (
	"cmp"
	"context"
	"errors"

	"github.com/rs/zerolog"
)

// Probe connects and returns the names of the exchanges that are there, out of those
// that c names. It makes no queue and binds nothing.
func Probe(ctx context.Context, c Config) ([]string, error) {
	c.Queue.Name = cmp.Or(c.Queue.Name, "probe") // is not declared
	c, _, err := c.check()
	if err != nil {
		return nil, err
	}
	c.Log = zerolog.Nop()
	s := &session{Config: c}
	conn, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // was only asked
	bindings, err := s.present(conn)
	if err != nil && !errors.Is(err, ErrNoExchange) {
		return nil, err
	}
	names := make([]string, len(bindings))
	for i, b := range bindings {
		names[i] = b.Exchange
	}
	return names, nil
}

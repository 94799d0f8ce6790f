package lines

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"edrpipe/pkg/events"
)

// maxConnections bounds the senders of one listener; each costs a read buffer.
const maxConnections = 256

// TCPConfig of a TCP source.
type TCPConfig struct {
	Limits
	Origin
	Listen
	Syslog bool // messages have a syslog header; lines and counted messages are told apart
}

// TCP takes lines, or syslog messages, from senders that connect.
type TCP struct {
	c        TCPConfig
	listener net.Listener
}

// ListenTCP opens the listener; Close ends it.
func ListenTCP(c TCPConfig) (*TCP, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Limits = c.Limits.withDefaults()
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, err
	}
	if c.TLS != nil {
		l = tls.NewListener(l, c.TLS)
	}
	return &TCP{c, l}, nil
}

// Name is tcp:<address> or syslog:<address>.
func (t *TCP) Name() string { return t.transport() + ":" + t.listener.Addr().String() }

func (t *TCP) transport() string {
	if t.c.Syslog {
		return "syslog"
	}
	return "tcp"
}

// Addr is where it listens.
func (t *TCP) Addr() net.Addr { return t.listener.Addr() }

// Close ends the listener and with it Read.
func (t *TCP) Close() error { return t.listener.Close() }

// Read delivers what all senders send until ctx ends.
func (t *TCP) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	d := newDesk(ctx, t.c.Limits, t.c.Origin, t.transport(), handle)
	var senders sync.WaitGroup
	defer context.AfterFunc(d.ctx, func() { _ = t.listener.Close() })()
	err := t.accept(d, &senders)
	d.cancel(errClosed) // no-op when something else has stopped the reading
	senders.Wait()
	return d.close(ctx, err)
}

// accept serves connections until the listener is closed.
func (t *TCP) accept(d *desk, senders *sync.WaitGroup) error {
	room := make(chan struct{}, maxConnections)
	for {
		conn, err := t.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name(), err)
		}
		if !t.c.allows(conn.RemoteAddr()) {
			t.c.Log.Warn().Stringer("from", conn.RemoteAddr()).Str("source", t.Name()).Msg("sender refused: not from an allowed network")
			_ = conn.Close()
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			t.c.Log.Warn().Stringer("from", conn.RemoteAddr()).Str("source", t.Name()).Msg("sender refused: too many at once")
			_ = conn.Close()
			continue
		}
		senders.Go(func() {
			defer func() { <-room }()
			t.serve(d, conn)
		})
	}
}

// serve reads one connection to its end.
func (t *TCP) serve(d *desk, conn net.Conn) {
	stop := context.AfterFunc(d.ctx, func() { _ = conn.Close() }) // wakes the read below
	defer func() { stop(); _ = conn.Close() }()
	next := t.reader(conn)
	for {
		text, err := next()
		if len(text) > 0 {
			if d.deliver(line{body: text}) != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && d.ctx.Err() == nil {
				t.c.Log.Warn().Err(err).Stringer("from", conn.RemoteAddr()).Str("source", t.Name()).Msg("sender lost")
			}
			return
		}
	}
}

// reader gives one message after another; the last may come with the error.
func (t *TCP) reader(conn net.Conn) func() ([]byte, error) {
	if t.c.Syslog {
		f := newFrames(conn, t.c.Line)
		return func() ([]byte, error) {
			text, err := f.next()
			return payload(text), err
		}
	}
	sc := newScanner(conn, t.c.Line)
	return func() ([]byte, error) {
		text, _, err := sc.next()
		if err != nil {
			text = sc.rest()
		}
		return text, err
	}
}

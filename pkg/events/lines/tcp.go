package lines

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"edrpipe/internal/connlimit"
	"edrpipe/pkg/events"
)

// Bounds of one listener, each connection of which costs a read buffer.
const (
	maxConnections = 256
	maxPerAddress  = 64
)

// Times after which a connection is ended. What a silent sender sends next may be lost with
// it, so that time is long; a message that was begun is not worth a place for long.
const (
	DefaultIdle   = time.Hour
	DefaultWithin = time.Minute
)

// TCPConfig of a TCP source.
type TCPConfig struct {
	Limits
	Origin
	Listen
	Syslog bool // messages have a syslog header; lines and counted messages are told apart

	Idle   time.Duration // how long a sender may send nothing; 0: DefaultIdle, below 0: for ever
	Within time.Duration // how long a message may take from its first part on, and a TLS handshake; 0: DefaultWithin
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
	c.Idle, c.Within = cmp.Or(c.Idle, DefaultIdle), cmp.Or(c.Within, DefaultWithin)
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, err
	}
	l = connlimit.New(allowed{l, c}, connlimit.Config{Connections: maxConnections, PerAddress: maxPerAddress, Log: c.Log})
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
	for {
		conn, err := t.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name(), err)
		}
		senders.Go(func() { t.serve(d, conn) })
	}
}

// allowed accepts connections from allowed networks, before they count.
type allowed struct {
	net.Listener
	c TCPConfig
}

// Accept implements net.Listener.
func (a allowed) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil || a.c.allows(conn.RemoteAddr()) {
			return conn, err
		}
		a.c.Log.Warn().Stringer("from", conn.RemoteAddr()).Str("source", a.Addr().String()).Msg("sender refused: not from an allowed network")
		_ = conn.Close() // it was never used
	}
}

// serve reads one connection to its end.
func (t *TCP) serve(d *desk, conn net.Conn) {
	stop := context.AfterFunc(d.ctx, func() { _ = conn.Close() }) // wakes the read below
	defer func() { stop(); _ = conn.Close() }()
	in := &timed{Conn: conn, idle: t.c.Idle, within: t.c.Within}
	if err := in.handshake(d.ctx); err != nil {
		t.c.Log.Warn().Err(err).Stringer("from", conn.RemoteAddr()).Str("source", t.Name()).Msg("sender refused: no TLS handshake")
		return
	}
	next := t.reader(in)
	for {
		in.begun = time.Time{}
		text, err := next()
		if len(text) > 0 {
			if d.deliver(line{body: text}) != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && d.ctx.Err() == nil {
				t.c.Log.Warn().Err(err).Stringer("from", conn.RemoteAddr()).Str("source", t.Name()).Msg(in.lost(err))
			}
			return
		}
	}
}

// timed is a connection whose sender may be silent between messages for one time, and has
// another for a message.
type timed struct {
	net.Conn
	idle, within time.Duration
	begun        time.Time // when the first part of the present message came; zero: none has
}

// handshake makes the TLS handshake, which the first read would make else.
func (c *timed) handshake(ctx context.Context) error {
	over, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	return over.HandshakeContext(ctx)
}

// Read implements io.Reader.
func (c *timed) Read(p []byte) (int, error) {
	var until time.Time
	switch {
	case !c.begun.IsZero():
		until = c.begun.Add(c.within)
	case c.idle > 0:
		until = time.Now().Add(c.idle)
	}
	if err := c.SetReadDeadline(until); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if n > 0 && c.begun.IsZero() {
		c.begun = time.Now()
	}
	return n, err
}

// lost says why reading has ended.
func (c *timed) lost(err error) string {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return "sender lost"
	case c.begun.IsZero():
		return fmt.Sprintf("connection ended: the sender was silent for %v", c.idle)
	}
	return fmt.Sprintf("connection ended: a message was not complete within %v", c.within)
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

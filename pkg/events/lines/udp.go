package lines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"

	"edrpipe/pkg/events"
)

// maxDatagram is the longest a UDP datagram can be.
const maxDatagram = 64 << 10

// receiveBuffer is what the kernel is asked to keep while a handler is busy.
// Beyond it datagrams are lost, which is the nature of UDP.
const receiveBuffer = 4 << 20

// UDP takes one event, or one syslog message, a datagram.
type UDP struct {
	c    UDPConfig
	conn net.PacketConn
}

// UDPConfig of a UDP source. TLS does not apply.
type UDPConfig struct {
	Limits
	Origin
	Listen
	Syslog bool // datagrams have a syslog header
}

// ListenUDP opens the socket; Close ends it.
func ListenUDP(c UDPConfig) (*UDP, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Limits = c.Limits.withDefaults()
	conn, err := net.ListenPacket("udp", c.Address)
	if err != nil {
		return nil, err
	}
	if err := conn.(*net.UDPConn).SetReadBuffer(receiveBuffer); err != nil {
		c.Log.Warn().Err(err).Msg("UDP receive buffer stays small")
	}
	return &UDP{c, conn}, nil
}

// Name is udp:<address>.
func (u *UDP) Name() string { return "udp:" + u.conn.LocalAddr().String() }

// Addr is where it listens.
func (u *UDP) Addr() net.Addr { return u.conn.LocalAddr() }

// Close ends the socket and with it Read.
func (u *UDP) Close() error { return u.conn.Close() }

// Read delivers datagrams until ctx ends.
func (u *UDP) Read(ctx context.Context, handle func(context.Context, events.Message) error) error {
	d := newDesk(ctx, u.c.Limits, u.c.Origin, "udp", handle)
	defer context.AfterFunc(d.ctx, func() { _ = u.conn.Close() })()
	return d.close(ctx, u.receive(d))
}

func (u *UDP) receive(d *desk) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := u.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", u.Name(), err)
		}
		text := bytes.TrimRight(buf[:n], "\r\n\x00")
		if u.c.Syslog {
			text = payload(text)
		}
		if len(text) == 0 || !u.c.allows(from) {
			continue
		}
		if err := d.deliver(line{body: bytes.Clone(text)}); err != nil {
			return err
		}
	}
}

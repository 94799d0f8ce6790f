package outputs

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Syslog sends each message as RFC 5424, with its length before it (RFC 6587, RFC 5425).
// TCP has no acknowledgement of what was read: what is in the buffers of a connection
// that breaks may be lost, as with any syslog.
type Syslog struct {
	Address string
	TLS     *tls.Config // nil: none
	Host    string      // that the lines name

	conn net.Conn
}

// priority is facility local0, severity notice.
const priority = 16<<3 | 5

// Send implements Sink.
func (s *Syslog) Send(ctx context.Context, batch []Message) error {
	if err := s.dial(ctx); err != nil {
		return err
	}
	var frames []byte
	for _, m := range batch {
		line := fmt.Appendf(nil, "<%d>1 %s %s edrpipe - - - %s", priority, m.Time.UTC().Format(time.RFC3339Nano), s.Host, m.Body)
		frames = append(frames, strconv.Itoa(len(line))...)
		frames = append(append(frames, ' '), line...)
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(sendWithin))
	if err == nil {
		_, err = s.conn.Write(frames)
	}
	if err != nil {
		_ = s.Close() // a new connection is made for the next attempt
		return fmt.Errorf("write to %s: %w", s.Address, err)
	}
	return nil
}

// dial connects, also where the other end has closed the connection meanwhile.
func (s *Syslog) dial(ctx context.Context) error {
	if s.conn != nil && alive(s.conn) {
		return nil
	}
	_ = s.Close()
	dialer := &net.Dialer{Timeout: sendWithin}
	var conn net.Conn
	var err error
	if s.TLS != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: s.TLS}).DialContext(ctx, "tcp", s.Address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", s.Address)
	}
	if err != nil {
		return err
	}
	s.conn = conn
	return nil
}

// alive reports whether the other end has not closed the connection: a read that finds
// nothing in a moment.
func alive(conn net.Conn) bool {
	if conn.SetReadDeadline(time.Now().Add(time.Millisecond)) != nil {
		return false
	}
	var one [1]byte
	_, err := conn.Read(one[:])
	timeout, ok := err.(net.Error) //nolint:errorlint // what a connection returns itself
	return err == nil || ok && timeout.Timeout()
}

// Close implements Sink.
func (s *Syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

package edrsim

import (
	"crypto/tls"
	"net"
	"sync"
)

// EitherListener accepts HTTP and HTTPS on the same port. The first byte of a connection
// decides which it is.
func EitherListener(l net.Listener, cert tls.Certificate) net.Listener {
	return &eitherListener{l, TLSConfig(cert)}
}

type eitherListener struct {
	net.Listener
	tls *tls.Config
}

func (l *eitherListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &eitherConn{Conn: c, tls: l.tls}, nil
}

// An eitherConn decides at its first Read, which blocks only the goroutine of this
// connection: a silent client does not delay others.
type eitherConn struct {
	net.Conn // the plain connection
	tls      *tls.Config
	decide   sync.Once
	err      error

	mu    sync.Mutex
	meant net.Conn // guarded by mu; nil: not decided yet
}

// handshake is the first byte of TLS; no method of HTTP begins with it.
const handshake = 0x16

func (c *eitherConn) Read(b []byte) (int, error) {
	c.decide.Do(func() {
		first := make([]byte, 1)
		if _, c.err = c.Conn.Read(first); c.err != nil {
			return
		}
		plain := &begunConn{c.Conn, first}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.meant = plain
		if first[0] == handshake {
			c.meant = tls.Server(plain, c.tls)
		}
	})
	if c.err != nil {
		return 0, c.err
	}
	return c.decided().Read(b)
}

// decided is the connection as the client means it.
func (c *eitherConn) decided() net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.meant == nil {
		return c.Conn
	}
	return c.meant
}

func (c *eitherConn) Write(b []byte) (int, error) { return c.decided().Write(b) }
func (c *eitherConn) Close() error                { return c.decided().Close() }

// NetConn is the plain connection.
func (c *eitherConn) NetConn() net.Conn { return c.Conn }

// A begunConn is a connection of which something has been read.
type begunConn struct {
	net.Conn
	begun []byte
}

func (c *begunConn) Read(b []byte) (int, error) {
	if len(c.begun) > 0 {
		n := copy(b, c.begun)
		c.begun = c.begun[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// Package connlimit bounds the connections of a listener, in all and of each
// address, so that clients without credentials cannot use up the descriptors that
// the service needs for its EDR server and its bus.
package connlimit

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Config of a listener's bounds.
type Config struct {
	Connections int // open at a time; 0: DefaultConnections, and never more than a quarter of the process's descriptors
	PerAddress  int // of them from one address (IPv6: one /64); 0: DefaultPerAddress
	Log         zerolog.Logger
}

// Defaults of Config.
const (
	DefaultConnections = 1024
	DefaultPerAddress  = 256
)

// logEvery is how often refused connections are logged, as their senders decide how
// many there are.
const logEvery = time.Minute

// Listener accepts connections within bounds; those beyond are closed at once.
type Listener struct {
	net.Listener
	all, each int
	log       zerolog.Logger

	mu      sync.Mutex // guards all below
	open    int
	from    map[netip.Prefix]int
	refused int // since the last line of the log
	logged  time.Time
}

// New bounds the connections of l.
func New(l net.Listener, c Config) *Listener {
	if c.Connections == 0 {
		c.Connections = DefaultConnections
	}
	if c.PerAddress == 0 {
		c.PerAddress = DefaultPerAddress
	}
	return &Listener{
		Listener: l, all: min(c.Connections, max(descriptors()/4, 1)), each: c.PerAddress, log: c.Log, from: map[netip.Prefix]int{},
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		sender := network(c.RemoteAddr())
		if l.enter(sender) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.leave(sender) })}, nil
		}
		_ = c.Close() // it was never used
	}
}

// enter counts a connection, or reports that there is no room for it.
func (l *Listener) enter(sender netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open < l.all && l.from[sender] < l.each {
		l.open++
		l.from[sender]++
		return true
	}
	l.refused++
	if time.Since(l.logged) >= logEvery {
		l.log.Warn().Int("refused", l.refused).Int("open", l.open).Int("limit", l.all).Int("per_address", l.each).Str("from", sender.String()).
			Msg("connections were refused: the listener has as many as it may, in all or of this address")
		l.refused, l.logged = 0, time.Now()
	}
	return false
}

func (l *Listener) leave(sender netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.from[sender]--; l.from[sender] == 0 {
		delete(l.from, sender)
	}
}

// network is what counts as one address: an IPv6 client has a /64 to itself.
func network(a net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Prefix{} // not a network address; all of them count as one
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // the number of bits is valid
	return p
}

// conn gives its place free when it is closed.
type conn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

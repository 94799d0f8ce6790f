package bus

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/internal/pace"
	"edrpipe/internal/tlsfiles"
	"edrpipe/pkg/bus/grouped"
	"edrpipe/pkg/seal"
)

// Config describes the bus and how to reach it.
type Config struct {
	URL      string // nats://host:port, several separated by commas; ignored when InProcess is set
	User     string
	Password string
	Creds    string // file with a user's JWT and key
	NKey     string // file with a user's seed
	CA       string // file with certificates to trust; turns TLS on
	Cert     string // client certificate, with Key
	Key      string
	Name     string // of this client, as the bus lists it; empty: edrpipe
	Replicas int    // copies of each stream; 0: 1

	Answer time.Duration // how long one answer of the bus is waited for; 0: 5 s

	Limits Limits

	Seal *seal.Keeper // of the records in buckets; nil: they are sealed without a secret

	Readers []string // durable pull consumers on StreamResults, for other zones: they cannot make any

	InProcess nats.InProcessConnProvider // an embedded server
	Log       zerolog.Logger
}

// Bus is a connection to JetStream with edrpipe's streams.
type Bus struct {
	nc        *nats.Conn
	js        jetstream.JetStream
	replicas  int
	limits    Limits
	readers   []string
	seal      *seal.Keeper
	writes    writes
	life      *grouped.Writer // to StreamJobs
	results   *grouped.Writer // to StreamResults
	connected atomic.Bool
	auditKept atomic.Bool // that the audit stream keeps its limits was logged
	closed    chan struct{}
	log       zerolog.Logger
}

// Connect blocks until the bus has answered or ctx ends. Afterwards the connection is
// re-established for ever; see Connected.
func Connect(ctx context.Context, c Config) (*Bus, error) {
	b := &Bus{replicas: max(c.Replicas, 1), limits: c.Limits.withDefaults(), readers: c.Readers, seal: c.Seal, closed: make(chan struct{}), log: c.Log}
	b.writes = writes{streams: b.streams(), fail: map[string]*failure{}}
	opts, err := b.options(c)
	if err != nil {
		return nil, err
	}
	// Only the first attempt fails fast; a bus that is still starting is waited for.
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		if b.nc, err = nats.Connect(c.URL, opts...); err == nil {
			break
		}
		if !transient(err) {
			return nil, fmt.Errorf("connect to bus %s: %w", c.URL, err)
		}
		c.Log.Debug().Err(err).Str("url", c.URL).Msg("bus is not there yet")
		if pace.Sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("connect to bus %s: %w", c.URL, err)
		}
	}
	b.connected.Store(true)
	js, err := jetstream.New(b.nc)
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("bus: %w", err)
	}
	b.js = bounded{js, cmp.Or(c.Answer, answerWithin), &b.writes}
	b.life, b.results = grouped.New(b.js), grouped.New(b.js)
	return b, nil
}

// transient errors pass by themselves: the server is starting or out of reach, or
// was lost in the middle of the greeting.
func transient(err error) bool {
	for _, e := range []error{nats.ErrNoServers, nats.ErrTimeout, nats.ErrConnectionClosed, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, os.ErrDeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return strings.Contains(err.Error(), "connection refused") // as the client library says it of several servers
}

func (b *Bus) options(c Config) ([]nats.Option, error) {
	name := c.Name
	if name == "" {
		name = "edrpipe"
	}
	opts := b.handlers(name)
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
		if s, ok := c.InProcess.(interface {
			InProcessUser() (user, password string)
		}); ok {
			c.User, c.Password = s.InProcessUser()
		}
	}
	if c.User != "" {
		// The inbox has the user's name in it, so that permissions can protect replies: a
		// user who may subscribe to all of _INBOX would receive the replies to others.
		opts = append(opts, nats.UserInfo(c.User, c.Password), nats.CustomInboxPrefix("_INBOX."+Token(c.User)))
	}
	if c.Creds != "" {
		opts = append(opts, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		o, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("bus key file %s: %w", c.NKey, err)
		}
		opts = append(opts, o)
	}
	switch t, err := c.TLS(); {
	case err != nil:
		return nil, err
	case t != nil:
		opts = append(opts, nats.Secure(t))
	}
	return opts, nil
}

// handlers keep the connection for ever and log its changes.
func (b *Bus) handlers(name string) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1), // no hidden buffer: a publish either reached the bus or fails
		nats.ConnectHandler(func(*nats.Conn) { b.connected.Store(true) }),
		nats.ReconnectHandler(func(*nats.Conn) {
			b.connected.Store(true)
			b.writes.forget()
			b.log.Info().Msg("bus is back")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.connected.Store(false)
			if err != nil {
				b.log.Warn().Err(err).Msg("bus is out of reach")
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { b.connected.Store(false); close(b.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Warn().Err(err).Msg("bus") }),
	}
}

// TLS is how the bus's servers are met; nil: without certificates of their own.
func (c Config) TLS() (*tls.Config, error) {
	if c.CA == "" && c.Cert == "" {
		return nil, nil
	}
	conf, err := tlsfiles.Client{CA: c.CA, Cert: c.Cert, Key: c.Key}.Config()
	if err != nil {
		return nil, fmt.Errorf("bus: %w", err)
	}
	return conf, nil
}

// Conn is the connection below, for services and plain subscriptions.
func (b *Bus) Conn() *nats.Conn { return b.nc }

// JetStream is the stream API on the connection. One request waits a few seconds at
// most, also with a longer context.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Connected reports whether the bus can be reached now. It never blocks, unlike
// the client library's own question during a reconnect.
func (b *Bus) Connected() bool { return b.connected.Load() }

// Wrote records the outcome of a write to a stream that bypassed JetStream's blocking
// methods.
func (b *Bus) Wrote(stream string, err error) { b.writes.note(stream, err) }

// Failing lists the streams that have stored none of this process's writes for a while.
// The state of a stream without writes is unknown.
func (b *Bus) Failing() []Failing { return b.writes.failing() }

// Close ends the connection and waits for its handlers.
func (b *Bus) Close() {
	b.nc.Close()
	<-b.closed
}

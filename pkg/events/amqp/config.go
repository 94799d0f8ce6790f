package amqp

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/rs/zerolog"
)

// The EDR server's exchanges.
const (
	ExchangeEvents = "api.events"        // topic: JSON, and single raw events as protobuf
	ExchangeRaw    = "api.rawsensordata" // fanout: bundles of raw events
)

// Config of a Source. URL and Queue.Name are required.
type Config struct {
	URL      string      // amqp://user:password@host:5004/, or amqps://; without a user, and with a client certificate, that one signs in
	TLS      *tls.Config // for amqps: client certificate, authorities; nil: the system's
	Bindings []Binding   // nil: DefaultBindings
	Queue    Queue
	Prefetch int           // unsettled messages, each perhaps a bundle of thousands of events; 0: 200
	Server   string        // name of the EDR server
	Requeue  time.Duration // wait before a message that failed is given back; 0: 1 s
	Drain    time.Duration // wait for unsettled messages at the end; 0: 10 s
	Log      zerolog.Logger

	// Persist has Read try again after every error of the broker, so that a refused sign-in
	// does not end the process. False: what is wrong from the start ends Read.
	Persist bool

	// Access returns URL and TLS as they are now. It is called before each attempt to
	// connect, so that a changed password or certificate is taken. Nil: they do not change.
	Access func() (string, *tls.Config, error)
}

// Binding is what to take from an exchange.
type Binding struct {
	Exchange string
	Keys     []string // patterns; none: "" for a fanout exchange
}

// DefaultBindings take all that a server reports by default, hits and alerts with
// and without database ids in their keys, and raw bundles where they are enabled.
func DefaultBindings() []Binding {
	return []Binding{
		{Exchange: ExchangeEvents, Keys: []string{"watchlist.#", "feed.#", "alert.#", "binaryinfo.#", "binarystore.#", "ingress.event.#"}},
		{Exchange: ExchangeRaw},
	}
}

// Queue is our queue on the EDR server. An unread one grows in that server's
// memory, hence the bounds.
type Queue struct {
	Name       string
	Transient  bool          // not durable: gone after a restart of the broker, whose messages are transient anyway
	AutoDelete bool          // gone as soon as we disconnect: nothing is kept while we restart
	MaxBytes   int64         // beyond it the oldest messages go; 0: 256 MiB
	MaxLength  int64         // messages; 0: no limit
	Expires    time.Duration // without a reader for so long the queue goes; 0: 1 h
	Arguments  amqp091.Table // further ones of the broker; they win
}

// arguments are those that the queue is declared with.
func (q Queue) arguments() amqp091.Table {
	args := amqp091.Table{
		"x-max-length-bytes": cmp.Or(q.MaxBytes, 256<<20),
		"x-overflow":         "drop-head",
		"x-expires":          cmp.Or(q.Expires, time.Hour).Milliseconds(),
	}
	if q.MaxLength > 0 {
		args["x-max-length"] = q.MaxLength
	}
	for k, v := range q.Arguments {
		args[k] = v
	}
	return args
}

// signIn is the client certificate as the identity (EXTERNAL), where there is one and the
// URL names no user; nil: user and password of the URL.
func (c Config) signIn() []amqp091.Authentication {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "amqps" || u.User != nil || c.TLS == nil || len(c.TLS.Certificates) == 0 && c.TLS.GetClientCertificate == nil {
		return nil
	}
	return []amqp091.Authentication{&amqp091.ExternalAuth{}}
}

// renewed returns the configuration with the URL and TLS of now.
func (c Config) renewed() (Config, error) {
	if c.Access == nil {
		return c, nil
	}
	var err error
	if c.URL, c.TLS, err = c.Access(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrAccess, err)
	}
	if c, _, err = c.check(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrAccess, err)
	}
	return c, nil
}

// check completes a configuration. No error repeats the password in the URL.
func (c Config) check() (Config, amqp091.URI, error) {
	if c.Queue.Name == "" {
		return c, amqp091.URI{}, errors.New("amqp events: the queue needs a name, which restarts keep")
	}
	uri, err := amqp091.ParseURI(c.URL)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err
		}
		return c, uri, fmt.Errorf("amqp events: the URL is not valid: %w", err)
	}
	c.Prefetch = cmp.Or(c.Prefetch, 200)
	c.Requeue = cmp.Or(c.Requeue, time.Second)
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	if c.Bindings == nil {
		c.Bindings = DefaultBindings()
	}
	return c, uri, nil
}

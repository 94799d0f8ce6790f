package lr

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/liveresponse"
)

// TLS selects the certificates that are accepted: see liveresponse.TLS.
type TLS = liveresponse.TLS

// Config describes a server and how to reach it. URL and Token are required; the
// zero value of every other field is a good default.
type Config struct {
	URL   string // https://host[:port]; http only to loopback, unless AllowPlain
	Token string // API token; its user's rights are the client's
	Name  string // the server's name in records and metrics; empty: the URL's host

	TLS        TLS
	AllowPlain bool // permits http:// to other hosts than loopback: the token travels in clear

	// RequestTimeout bounds a request that carries no file; 0 means 60 s.
	RequestTimeout time.Duration
	// StallTimeout ends a transfer that moves no byte for so long; 0 means 60 s.
	StallTimeout time.Duration
	// LongPoll bounds how long one request waits for a command's end; 0 means 50 s,
	// which is below the 60 s of a usual proxy. Negative: never, poll instead.
	LongPoll time.Duration
	// KeepAlive is the pause between keepalives during long commands and transfers;
	// 0 means a quarter of the sensor's wait time-out, at most 30 s.
	KeepAlive time.Duration
	// Tries bounds how often a request that may be repeated is sent; 0 means 5.
	Tries int
	// Backoff is the first pause between tries, doubled and jittered; 0 means 200 ms.
	Backoff time.Duration
	// Settle bounds how long a command without an answer is looked for in its
	// session's list before the outcome counts as unknown; 0 means 3 s.
	Settle time.Duration
	// ChunkSize makes downloads travel in pieces of so many bytes, for servers whose
	// session store is smaller than the file (CbLRMaxStoreSizeMB); 0: in one piece.
	ChunkSize int64
	// SessionLimit is the server's limit of concurrent sessions, used to understand
	// a refusal without a text; 0 means 10, the product's default.
	SessionLimit int

	Log zerolog.Logger // every request at debug level; never the token
}

// withDefaults checks c and fills its zero values.
func (c Config) withDefaults() (Config, *url.URL, error) {
	base, err := c.baseURL()
	if err != nil {
		return c, nil, err
	}
	if err := checkToken(c.Token); err != nil {
		return c, nil, err
	}
	if c.Name == "" {
		c.Name = base.Hostname()
	}
	orDuration(&c.RequestTimeout, time.Minute)
	orDuration(&c.StallTimeout, time.Minute)
	orDuration(&c.LongPoll, 50*time.Second)
	orDuration(&c.Backoff, 200*time.Millisecond)
	orDuration(&c.Settle, 3*time.Second)
	if c.Tries == 0 {
		c.Tries = 5
	}
	if c.SessionLimit == 0 {
		c.SessionLimit = 10
	}
	return c, base, nil
}

func checkToken(token string) error {
	switch {
	case token == "":
		return errors.New("EDR server: no API token given")
	case strings.ContainsAny(token, "\r\n\x00 \t"):
		return errors.New("EDR server: the API token contains white space")
	}
	return nil
}

func (c Config) baseURL() (*url.URL, error) {
	base, err := url.Parse(c.URL)
	if err != nil {
		// url.Parse quotes its input, which may hold credentials.
		return nil, errors.New("EDR server: the URL cannot be parsed")
	}
	switch {
	case base.Host == "":
		return nil, errors.New("EDR server: the URL needs the form https://host[:port]")
	case base.User != nil:
		return nil, errors.New("EDR server: credentials do not belong into the URL; the server takes an API token")
	case base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("EDR server: the URL has a query or fragment; give https://host[:port] only")
	case base.Scheme == "http" && !c.AllowPlain && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("EDR server %s: http:// would send the token in clear; use https://", base.Host)
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("EDR server %s: scheme %q is not https", base.Host, base.Scheme)
	}
	return base, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func orDuration(d *time.Duration, otherwise time.Duration) {
	if *d == 0 {
		*d = otherwise
	}
}

package cbc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/liveresponse"
)

// Config describes an organisation and how to reach it. URL, OrgKey and Token are
// required; the zero value of every other field is a good default.
type Config struct {
	URL    string // https://host, the console's; http only to loopback
	OrgKey string // letters and digits
	Token  string // API secret, a slash, and API id
	Name   string // the server's name in records and metrics; empty: the URL's host and the org key

	TLS liveresponse.TLS

	// Limiter is shared by all clients of a host. nil: one of the client's own with
	// the default rate.
	Limiter *Limiter

	// SessionLimit is how many devices we have a session with at most; 0 means 90,
	// which leaves people ten of the product's 100.
	SessionLimit int
	// OnlineWithin is how long after its last contact a device counts as online;
	// 0 means 15 minutes.
	OnlineWithin time.Duration

	// RequestTimeout bounds a request that carries no file, without the wait for the
	// Limiter; 0 means 90 s, because an answer at the session limit may take 60 s.
	RequestTimeout time.Duration
	// StallTimeout ends a transfer that moves no byte for so long; 0 means 60 s.
	StallTimeout time.Duration
	// KeepAlive is the pause between keepalives during long commands and transfers;
	// 0 means 300 s, a third of the product's idle time-out.
	KeepAlive time.Duration
	// Poll is the pause before the first look at a command. The next ones double up to
	// ten times as much, those at a session begin with four times as much; 0 means
	// 500 ms. Every look counts towards the host's rate.
	Poll time.Duration
	// Tries bounds how often a request that may be repeated is sent; 0 means 5.
	Tries int
	// Backoff is the first pause between tries, doubled and jittered; 0 means 500 ms.
	Backoff time.Duration
	// Settle bounds how long a command without an answer is looked for in its
	// session's list before the outcome counts as unknown; 0 means 5 s.
	Settle time.Duration

	Log zerolog.Logger // every request at debug level; never the token
}

var orgKeyForm = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// withDefaults checks c and fills its zero values.
func (c Config) withDefaults() (Config, *url.URL, error) {
	base, err := c.baseURL()
	if err != nil {
		return c, nil, err
	}
	if !orgKeyForm.MatchString(c.OrgKey) {
		return c, nil, errors.New("cloud: the org key is letters and digits, as the console shows it under Settings > API Access")
	}
	if err := checkToken(c.Token); err != nil {
		return c, nil, err
	}
	if c.Name == "" {
		c.Name = base.Hostname() + "-" + c.OrgKey
	}
	if c.Limiter == nil {
		c.Limiter = NewLimiter(0, 0)
	}
	orDuration(&c.OnlineWithin, 15*time.Minute)
	orDuration(&c.RequestTimeout, 90*time.Second)
	orDuration(&c.StallTimeout, time.Minute)
	orDuration(&c.KeepAlive, 300*time.Second)
	orDuration(&c.Backoff, 500*time.Millisecond)
	orDuration(&c.Settle, 5*time.Second)
	orDuration(&c.Poll, 500*time.Millisecond)
	if c.Tries == 0 {
		c.Tries = 5
	}
	if c.SessionLimit == 0 {
		c.SessionLimit = 90
	}
	return c, base, nil
}

func checkToken(token string) error {
	secret, id, found := strings.Cut(token, "/")
	switch {
	case token == "":
		return errors.New("cloud: no API token given")
	case strings.ContainsAny(token, "\r\n\x00 \t"):
		return errors.New("cloud: the API token contains white space")
	case !found || secret == "" || id == "":
		return errors.New("cloud: the API token has the form SECRET/ID, the API secret key first")
	}
	return nil
}

func (c Config) baseURL() (*url.URL, error) {
	base, err := url.Parse(c.URL)
	if err != nil {
		// url.Parse quotes its input, which may hold credentials.
		return nil, errors.New("cloud: the URL cannot be parsed")
	}
	switch {
	case base.Host == "":
		return nil, errors.New("cloud: the URL needs the form https://host")
	case base.User != nil:
		return nil, errors.New("cloud: credentials do not belong into the URL; the server takes an API token")
	case strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("cloud: the URL has a path, query or fragment; give https://host only")
	case base.Scheme == "http" && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("cloud %s: http:// would send the token in clear; use https://", base.Host)
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, fmt.Errorf("cloud %s: scheme %q is not https", base.Host, base.Scheme)
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

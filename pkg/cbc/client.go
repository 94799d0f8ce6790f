package cbc

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Client talks to one organisation of Carbon Black Cloud. It is safe for concurrent
// use.
type Client struct {
	cfg    Config // its Token and TLS are those of the beginning: see access
	base   string // scheme and host
	access atomic.Pointer[access]
	liveresponse.Expiry

	mu        sync.Mutex
	requested map[string]quarantine   // by device, until its flag follows
	seen      map[string]recentDevice // short-lived cache
	worked    time.Time               // when Live Response last answered as it should
}

// quarantine is a request that the device has not followed yet.
type quarantine struct {
	on bool
	at time.Time
}

type recentDevice struct {
	device deviceJSON
	at     time.Time
}

var (
	_ edr.Server            = (*Client)(nil)
	_ edr.Isolator          = (*Client)(nil)
	_ edr.HashBanner        = (*Client)(nil)
	_ edr.AlertCloser       = (*Client)(nil)
	_ edr.AlertNoter        = (*Client)(nil)
	_ edr.Prober            = (*Client)(nil)
	_ edr.PermissionChecker = (*Client)(nil)
)

// New returns a client of the organisation in c. It sends no request.
func New(c Config) (*Client, error) {
	c, base, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	root := url.URL{Scheme: base.Scheme, Host: base.Host}
	client := &Client{cfg: c, base: root.String(), requested: map[string]quarantine{}, seen: map[string]recentDevice{}}
	if err := client.Renew(c.Token, c.TLS); err != nil {
		return nil, err
	}
	return client, nil
}

// access is by what the product lets us in, and we recognise it.
type access struct {
	token   string
	http    *http.Client
	storage *http.Client // without the token
}

// Renew takes another token and other certificates for all further requests. Those
// under way end as they began.
func (c *Client) Renew(token string, t liveresponse.TLS) error {
	if err := checkToken(token); err != nil {
		return err
	}
	conf, err := t.Config()
	if err != nil {
		return err
	}
	storage := conf.Clone() // of other hosts
	c.Watch(conf)
	old := c.access.Swap(&access{token, liveresponse.NewHTTPClient(conf), liveresponse.NewHTTPClient(storage)})
	if old != nil {
		old.http.CloseIdleConnections()
		old.storage.CloseIdleConnections()
	}
	return nil
}

// Name identifies the server.
func (c *Client) Name() string { return c.cfg.Name }

// OrgKey is the organisation's key.
func (c *Client) OrgKey() string { return c.cfg.OrgKey }

// Limiter is the token bucket of the client's host.
func (c *Client) Limiter() *Limiter { return c.cfg.Limiter }

// CloseIdle closes connections that carry no request.
func (c *Client) CloseIdle() {
	a := c.access.Load()
	a.http.CloseIdleConnections()
	a.storage.CloseIdleConnections()
}

// Routes.
func (c *Client) app(path string) string { return "/appservices/v6/orgs/" + c.cfg.OrgKey + path }
func (c *Client) alerts(path string) string {
	return "/api/alerts/v7/orgs/" + c.cfg.OrgKey + "/alerts" + path
}
func (c *Client) jobs(path string) string { return "/jobs/v1/orgs/" + c.cfg.OrgKey + "/jobs" + path }

func (c *Client) sessions(parts ...string) string {
	path := c.app("/liveresponse/sessions")
	for _, p := range parts {
		path += "/" + url.PathEscape(p)
	}
	return path
}

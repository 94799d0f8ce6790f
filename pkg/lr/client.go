package lr

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// Client talks to one Carbon Black EDR server. It is safe for concurrent use.
type Client struct {
	cfg    Config // its Token and TLS are those of the beginning: see access
	base   string // scheme, host and path prefix, without a final slash
	access atomic.Pointer[access]
	liveresponse.Expiry

	groups  groupNames
	licence licence
}

var (
	_ edr.Server     = (*Client)(nil)
	_ edr.Isolator   = (*Client)(nil)
	_ edr.HashBanner = (*Client)(nil)
	_ edr.Prober     = (*Client)(nil)
	_ edr.Certified  = (*Client)(nil)
)

// New returns a client of the server in c. It sends no request.
func New(c Config) (*Client, error) {
	c, base, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	root := url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/")}
	client := &Client{cfg: c, base: root.String()}
	if err := client.Renew(c.Token, c.TLS); err != nil {
		return nil, err
	}
	return client, nil
}

// access is by what the server lets us in, and we recognise the server.
type access struct {
	token string
	http  *http.Client
}

// Renew takes another token and other certificates for all further requests. Those
// under way end as they began.
func (c *Client) Renew(token string, t TLS) error {
	if err := checkToken(token); err != nil {
		return err
	}
	conf, err := t.Config()
	if err != nil {
		return err
	}
	c.Watch(conf)
	if old := c.access.Swap(&access{token, liveresponse.NewHTTPClient(conf)}); old != nil {
		old.http.CloseIdleConnections()
	}
	return nil
}

// Name identifies the server.
func (c *Client) Name() string { return c.cfg.Name }

// CloseIdle closes connections that carry no request.
func (c *Client) CloseIdle() { c.access.Load().http.CloseIdleConnections() }

// Info is a server's version and its permissions for this token.
type Info struct {
	Version      string `json:"version"`         // major.minor.patch.date.build
	Release      string `json:"version_release"` // as packaged
	LiveResponse bool   `json:"live_response"`   // cblrEnabled
	Banning      bool   `json:"banning"`
	Hosted       bool   `json:"hosted"` // run by the vendor
}

// Info reads the server's version and what it permits this token.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var got struct {
		Version text `json:"version"`
		Release text `json:"version_release"`
		LR      flag `json:"cblrEnabled"`
		Banning flag `json:"banningEnabled"`
		Cloud   flag `json:"cloud_install"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/api/info", out: &got, repeat: true})
	if err != nil {
		return Info{}, err
	}
	return Info{
		Version: string(got.Version), Release: string(got.Release),
		LiveResponse: bool(got.LR), Banning: bool(got.Banning), Hosted: bool(got.Cloud),
	}, nil
}

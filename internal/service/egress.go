package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"edrpipe/internal/config"
	"edrpipe/pkg/actions"
)

// errEgress is the error of a destination that http and notify may not send to.
var errEgress = errors.New("rules may not send there")

// closed are addresses besides those of netip's own classes that are not public: shared
// address space, benchmarks, and where clouds hand out credentials of the machine.
var closed = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("64:ff9b::/96"),
}

// egress is the transport of the actions http and notify, and of the sources of lists. The name of the destination is
// checked for each request, and the address for each connection, after its name was
// resolved. Proxies of the environment are not used: they would resolve the name.
type egress struct {
	hosts    []string
	networks []netip.Prefix
	proxy    string        // host:port; empty: none
	resolver *net.Resolver // nil: the system's
	below    *http.Transport
}

// newEgress makes the client of http and notify.
func newEgress(c config.Egress) (*http.Client, error) {
	e := &egress{hosts: c.Hosts}
	var err error
	if e.networks, err = c.Prefixes(); err != nil {
		return nil, fmt.Errorf("egress.networks: %w", err)
	}
	e.below = &http.Transport{DialContext: e.dial, ForceAttemptHTTP2: true, MaxIdleConns: 100, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
	if c.Proxy != "" {
		proxy, err := url.Parse(c.Proxy)
		if err != nil {
			return nil, fmt.Errorf("egress.proxy: %w", err)
		}
		e.below.Proxy, e.proxy = http.ProxyURL(proxy), proxyAddress(proxy)
	}
	return &http.Client{Timeout: time.Minute, Transport: e}, nil
}

// RoundTrip implements http.RoundTripper.
func (e *egress) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	if len(e.hosts) > 0 && !actions.HostIn(e.hosts, host) {
		return nil, fmt.Errorf("egress: %s is not in egress.hosts: %w", host, errEgress)
	}
	if ip, err := netip.ParseAddr(host); err == nil && e.proxy != "" {
		if err := e.mayReach(ip, true); err != nil {
			return nil, err
		}
	}
	return e.below.RoundTrip(r)
}

// dial connects to the destination of a request, or to the proxy. Loopback is reached only
// where the rule itself names it: no other name leads there.
func (e *egress) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 30 * time.Second, Resolver: e.resolver}
	if e.proxy == "" || address != e.proxy {
		ip, err := netip.ParseAddr(host)
		loopback := host == "localhost" || err == nil && ip.Unmap().IsLoopback()
		d.Control = func(_, dialled string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(dialled)
			if err != nil {
				return fmt.Errorf("egress: %q is no address: %w", dialled, err)
			}
			return e.mayReach(at.Addr(), loopback)
		}
	}
	return d.DialContext(ctx, network, address)
}

// mayReach reports whether an address is public, or listed.
func (e *egress) mayReach(ip netip.Addr, loopback bool) error {
	ip = ip.Unmap().WithZone("")
	listed := func(all []netip.Prefix) bool {
		return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	switch {
	case ip.IsLoopback() && loopback, listed(e.networks):
		return nil
	case !ip.IsGlobalUnicast(), ip.IsPrivate(), listed(closed):
		return fmt.Errorf("egress: %s is not a public address and not in egress.networks: %w", ip, errEgress)
	}
	return nil
}

// proxyAddress is the address that a transport dials for a proxy.
func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

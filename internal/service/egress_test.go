package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"edrpipe/internal/config"
)

func TestOnlyPublicAndListedAddressesAreReached(t *testing.T) {
	t.Parallel()
	e := egress{networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("169.254.7.7/32")}}
	for address, refused := range map[string]bool{
		"169.254.169.254": true, "::ffff:169.254.169.254": true, "fe80::1%eth0": true, "fd00:ec2::254": true,
		"100.100.100.200": true, "0.0.0.0": true, "::": true, "224.0.0.1": true, "255.255.255.255": true,
		"10.2.0.1": true, "::ffff:10.2.0.1": true, "172.16.0.1": true, "192.168.1.1": true, "fc00::1": true,
		"127.0.0.1": true, "::1": true, "64:ff9b::a9fe:a9fe": true, "0.1.2.3": true,
		"10.1.2.3": false, "::ffff:10.1.2.3": false, "169.254.7.7": false, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if err := e.mayReach(netip.MustParseAddr(address), false); errors.Is(err, errEgress) != refused {
			t.Errorf("%s: %v, want refused %v", address, err, refused)
		}
	}
	if err := e.mayReach(netip.MustParseAddr("127.0.0.1"), true); err != nil {
		t.Errorf("loopback that the rule names: %v", err)
	}
	if err := e.mayReach(netip.MustParseAddr("10.2.0.1"), true); err == nil {
		t.Error("a private address is reached as if it were loopback")
	}
}

// client makes the client of rules.
func client(t *testing.T, c config.Egress) *http.Client {
	t.Helper()
	h, err := newEgress(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.CloseIdleConnections)
	return h
}

// get returns the error of a request.
func get(t *testing.T, c *http.Client, address string) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func TestTheDialledAddressCounts(t *testing.T) {
	t.Parallel()
	from := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest", http.StatusFound))
	t.Cleanup(from.Close)
	if err := get(t, client(t, config.Egress{}), from.URL); !errors.Is(err, errEgress) {
		t.Errorf("a redirect to a metadata address: %v", err)
	}
}

// TestANameMayNotLeadInside: the name is public and the address that it resolves to is
// not, as with DNS rebinding.
func TestANameMayNotLeadInside(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 9)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.Host }))
	t.Cleanup(server.Close)
	e := &egress{resolver: resolvesTo(t, [4]byte{127, 0, 0, 1})}
	e.below = &http.Transport{DialContext: e.dial}
	t.Cleanup(e.below.CloseIdleConnections)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	address := "http://hooks.example:" + port
	if err := get(t, &http.Client{Transport: e}, address); !errors.Is(err, errEgress) || len(asked) != 0 {
		t.Errorf("a name that leads to loopback: %v, %d requests", err, len(asked))
	}
	e.networks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if err := get(t, &http.Client{Transport: e}, address); err != nil || len(asked) != 1 {
		t.Errorf("the same, with the network listed: %v, %d requests", err, len(asked))
	}
}

// resolvesTo is a resolver whose name server has one address for every name.
func resolvesTo(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	serving.Go(func() {
		for buf := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(buf[:n]); err != nil {
				t.Error(err)
				return
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(out, from) // the client asks again
			}
		}
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// TestWithAProxyOtherAddressesAreChecked: only the proxy itself may be inside.
func TestWithAProxyOtherAddressesAreChecked(t *testing.T) {
	t.Parallel()
	e := &egress{proxy: "10.0.0.1:3128"}
	for _, address := range []string{"10.2.0.1:80", "10.0.0.1:80", "169.254.169.254:80"} {
		if _, err := e.dial(t.Context(), "tcp", address); !errors.Is(err, errEgress) {
			t.Errorf("%s beside the proxy: %v", address, err)
		}
	}
	for from, want := range map[string]string{"http://proxy.example": "proxy.example:80", "https://proxy.example": "proxy.example:443", "http://proxy.example:3128": "proxy.example:3128"} {
		u, err := url.Parse(from)
		if err != nil {
			t.Fatal(err)
		}
		if got := proxyAddress(u); got != want {
			t.Errorf("the proxy %s is dialled as %s, want %s", from, got, want)
		}
	}
}

func TestHostsBoundWhereRulesSend(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(server.Close)
	if err := get(t, client(t, config.Egress{Hosts: []string{"hooks.slack.com"}}), server.URL); !errors.Is(err, errEgress) {
		t.Errorf("a host that is not listed: %v", err)
	}
	if err := get(t, client(t, config.Egress{Hosts: []string{"127.0.0.1"}}), server.URL); err != nil {
		t.Errorf("a host that is listed: %v", err)
	}
}

// TestProxiesOfTheEnvironmentAreNotUsed: a proxy would resolve the name of the destination,
// so that its address could not be checked.
func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	asked := make(chan string, 9)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	if err := get(t, client(t, config.Egress{}), "http://169.254.169.254/latest"); !errors.Is(err, errEgress) || len(asked) != 0 {
		t.Errorf("through the proxy of the environment: %v, %d requests", err, len(asked))
	}
	own := client(t, config.Egress{Hosts: []string{"tickets.example", "10.9.9.9"}, Proxy: proxy.URL})
	if err := get(t, own, "http://tickets.example/new"); err != nil || len(asked) != 1 {
		t.Errorf("through the proxy of the configuration: %v, %d requests", err, len(asked))
	}
	for _, address := range []string{"http://other.example/", "http://10.9.9.9/"} {
		if err := get(t, own, address); !errors.Is(err, errEgress) {
			t.Errorf("%s through the proxy: %v", address, err)
		}
	}
	u, _ := url.Parse("http://proxy.example")
	if got := proxyAddress(u); got != "proxy.example:80" {
		t.Errorf("address of a proxy without a port: %s", got)
	}
}

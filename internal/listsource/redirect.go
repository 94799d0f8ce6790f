package listsource

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// maxRedirects bounds how often a server may send on.
const maxRedirects = 3

// follow refuses redirects without end, and those that leave TLS. The token stays with the
// server that it is for: net/http would send it to names below its own and to other ports.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if !secure(req.URL) {
		return errors.New("a redirect to an address without TLS")
	}
	for _, earlier := range via {
		if origin(earlier.URL) != origin(req.URL) {
			req.Header.Del("Authorization")
		}
	}
	return nil
}

// secure reports whether an address is https, or http on loopback.
func secure(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback())
}

// origin is what must be the same for the token to be sent.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func sameOrigin(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && origin(x) == origin(y)
}

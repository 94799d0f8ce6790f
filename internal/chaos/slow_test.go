//go:build linux && chaos

package chaos

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestFirstCommandBesideSlowSenders measures event → first command while SLOW connections
// without credentials (2,000) have each sent a header and one byte of a body. Rounds with
// and without them take turns, so that both see the same machine. The replica bounds the
// connections of an address; they come from as many addresses of loopback as it takes.
func TestFirstCommandBesideSlowSenders(t *testing.T) {
	n, slow := number(t, "N", 300), number(t, "SLOW", 2000)
	const rounds = 5
	c := newCommanding(t, false)
	address := strings.TrimPrefix(c.replicas[0].URL(), "http://")
	var quiet, beside []time.Duration
	for range rounds {
		for range n / rounds {
			begun, arrived := c.event()
			quiet = append(quiet, arrived.Sub(begun))
		}
		senders := slowSenders(t, address, slow)
		for range n / rounds {
			begun, arrived := c.event()
			beside = append(beside, arrived.Sub(begun))
		}
		for _, s := range senders {
			_ = s.Close() // the replica may have been faster
		}
	}
	for _, q := range []int{50, 99} {
		a, b := percentile(quiet, q), percentile(beside, q)
		t.Logf("event → first command, p%d: %v alone, %v beside %d slow connections; ratio %.2f", q, a, b, slow, float64(b)/float64(a))
	}
	if a, b := percentile(quiet, 99), percentile(beside, 99); b > 2*a {
		t.Errorf("p99 is %v beside slow connections, more than twice the %v without", b, a)
	}
}

// slowSenders opens connections that begin a post and send no more.
func slowSenders(t *testing.T, address string, n int) (all []net.Conn) {
	t.Helper()
	for i := range n {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%200))}, Timeout: 10 * time.Second}
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, conn)
		// What is beyond the bounds is closed by the replica, perhaps before this is written.
		_, _ = fmt.Fprintf(conn, "POST /v1/ingest HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000\r\n\r\n{", address)
	}
	return all
}

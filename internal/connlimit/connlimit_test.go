package connlimit

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestListener: connections beyond the bounds are closed at once, and each that ends
// makes room for another.
func TestListener(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"in all":      {Connections: 2, PerAddress: 9},
		"per address": {Connections: 9, PerAddress: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l := New(inner, c)
			t.Cleanup(func() { _ = l.Close() }) // ends accept
			accepted := make(chan net.Conn, 9)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					accepted <- c
				}
			}()
			dial := func() net.Conn {
				c, err := net.Dial("tcp", inner.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			dial()
			dial()
			first, second := <-accepted, <-accepted
			third := dial()
			if err := third.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			var timeout net.Error
			if _, err := third.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatalf("the third stays open: %v", err)
			} else if !errors.Is(err, io.EOF) {
				t.Log(err) // a reset is as good
			}
			for range 2 { // the second Close gives nothing free
				_ = first.Close()
			}
			dial()
			fourth := <-accepted
			if l.open != 2 {
				t.Errorf("%d are open, want 2", l.open)
			}
			_, _ = second.Close(), fourth.Close()
			if l.open != 0 || len(l.from) != 0 {
				t.Errorf("%d open, from %v; want none", l.open, l.from)
			}
		})
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"10.1.2.3:80": "10.1.2.3/32", "[::ffff:10.1.2.3]:80": "10.1.2.3/32", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64", "[fe80::1%lo]:80": "fe80::/64",
	} {
		a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))
		if got := network(a); got.String() != want {
			t.Errorf("network(%s) = %s, want %s", address, got, want)
		}
	}
}

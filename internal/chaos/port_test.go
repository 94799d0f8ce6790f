//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
)

// freePort is a loopback address that nobody listens on at the moment: a bus
// must come back where its clients look for it. It lies below the ports that the
// system gives to outgoing connections: one of those could take the port of a
// listener that is down, and a client that asks such a port again and again
// even connects to itself.
func freePort(t testing.TB) string {
	t.Helper()
	low := 32768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &low); err != nil {
			t.Fatal(err)
		}
	}
	if low < 12_000 {
		low = 60_000 // a system that gives nearly all away: better a small risk than none to be had
	}
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(low-10_000))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// ports are a world's own: who listens on one and is killed, or cut off, must come
// back where its clients look for it. The first one of them is held for as long as
// the test runs, so that no other world takes the same; and they lie below those
// that the system gives to outgoing connections: one of those could take the port
// of a listener that is down, and a client that asks such a port again and again
// even connects to itself.
type ports struct{ next, end int }

const portsOfWorld = 64

func newPorts(t testing.TB) *ports {
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
	for range 200 {
		first := 10_000 + portsOfWorld*rand.IntN((low-10_000)/portsOfWorld)
		if held, err := net.Listen("tcp", address(first)); err == nil {
			t.Cleanup(func() { held.Close() })
			return &ports{first + 1, first + portsOfWorld}
		}
	}
	t.Fatal("no free ports")
	return nil
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// take returns an address on which no process listens. No process starts
// meanwhile: until it executes its program it has a copy of the listener, which
// would keep the port in use after Close.
func (p *ports) take(t testing.TB) string {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for ; p.next < p.end; p.next++ {
		if l, err := net.Listen("tcp", address(p.next)); err == nil {
			l.Close()
			p.next++
			return address(p.next - 1)
		}
	}
	t.Fatal("a world has used up its ports")
	return ""
}

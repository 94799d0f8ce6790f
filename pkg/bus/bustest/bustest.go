// Package bustest gives a test a bus of its own, which ends with the test.
package bustest

import (
	"testing"
	"time"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
)

// Start is a connection to a new bus with edrpipe's streams.
func Start(t testing.TB) *bus.Bus {
	t.Helper()
	return Connect(t, bus.Config{InProcess: Serve(t, natsd.Config{Sync: time.Minute})})
}

// Serve starts a server. Without c.Dir it has a directory of its own.
func Serve(t testing.TB, c natsd.Config) *natsd.Server {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	ns, err := natsd.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return ns
}

// Connect connects to a server and makes the streams that it does not have.
func Connect(t testing.TB, c bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

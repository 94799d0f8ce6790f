package natsd

import (
	"net"
	"strings"
	"testing"
	"time"
)

// TestPortInUse: a port that something else has is told at once, with its cause.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s, err := Start(Config{Dir: t.TempDir(), Listen: taken.Addr().String(), Pass: "p", Ready: time.Hour})
	if err == nil {
		t.Fatal(s.Close())
	}
	if !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("err = %v, want the address and that it is in use", err)
	}
}

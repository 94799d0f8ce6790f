// Package edrtest checks that an implementation of edr.Server keeps the
// promises that the rest of edrpipe relies on.
//
// A backend's own test calls Run with a function that makes one:
//
//	func TestConformance(t *testing.T) {
//		edrtest.Run(t, func(t *testing.T) edrtest.Backend {
//			return edrtest.Backend{Server: newServer(t), Sensor: "1", Unknown: "999", Dir: `c:\windows\temp`}
//		})
//	}
package edrtest

import (
	"context"
	"testing"
	"time"

	"edrpipe/pkg/edr"
)

// Backend is a server under test with an endpoint that may be changed.
type Backend struct {
	Server  edr.Server
	Sensor  string // Windows, online, with Live Response and no session
	Offline string // a sensor that is offline; empty: the server has none
	Unknown string // an id that no sensor has
	Dir     string // a directory on Sensor that can be written, without a final separator
	Key     string // a registry key on Sensor under which keys can be made; empty: no registry
	Command string // a command line that prints "hello"; empty: no processes can be started
	// NoReturnCode says that the product tells neither the PID nor the return code of
	// a process that it started.
	NoReturnCode bool
	// ForgetsClosed says that the commands of a closed session may be gone.
	ForgetsClosed bool
}

// patience bounds each subtest. No call may need it.
const patience = time.Minute

// Run checks a backend, each promise on a new one.
func Run(t *testing.T, backend func(t *testing.T) Backend) {
	for name, check := range checks {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			check(t, ctx, backend(t))
		})
	}
}

type check func(t *testing.T, ctx context.Context, b Backend)

var checks = map[string]check{
	"sensors are known by id and listed":             sensors,
	"an unknown sensor is ErrUnknownSensor":          unknownSensor,
	"an offline sensor is ErrOffline":                offlineSensor,
	"a session opens, is listed, and closes":         lifecycle,
	"a sensor has one session at a time":             busy,
	"an existing session can be attached":            attach,
	"a closed session is gone":                       gone,
	"a closed session's commands can be read":        commandsOfClosed,
	"commands have ids that increase":                commandList,
	"files go there and back unchanged":              files,
	"a part of a file can be read":                   ranges,
	"a missing file is fs.ErrNotExist":               missing,
	"directories are made and listed":                directories,
	"processes are listed, started and killed":       processes,
	"registry values of all types go there and back": registry,
	"a trace sees a command before and after":        traceOrder,
	"a trace can stop a command":                     traceStops,
	"a session without a power refuses it":           refusal,
	"no call outlives its context":                   contexts,
	"isolation is requested and released":            isolation,
	"hashes are banned and released":                 banning,
}

// open returns an active session that is closed when the test ends.
func open(t *testing.T, ctx context.Context, b Backend) edr.Session {
	t.Helper()
	s, err := b.Server.Open(ctx, b.Sensor)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := s.Await(ctx); err != nil {
		t.Fatalf("Await: %v", err)
	}
	return s
}

// power returns a power of the session. A kind of server without it need not pass
// what the test checks.
func power[P any](t *testing.T, s edr.Session) P {
	t.Helper()
	p, err := edr.As[P](s)
	if err != nil {
		t.Skip(err)
	}
	return p
}

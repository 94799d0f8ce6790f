package actions

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
)

func TestIsolateWaitsUntilTheSensorFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(edr.Windows)
		e.follows = 11 // one of them before it is asked
		start := time.Now()
		out, err := e.do(t, "isolate", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := out.(IsolateOutput); !got.Isolated {
			t.Errorf("output = %+v", got)
		}
		if waited := time.Since(start); waited != 6200*time.Millisecond+4*laterLook {
			t.Errorf("waited %v", waited)
		}
		if !e.already(t, "isolate", nil) || e.already(t, "unisolate", nil) {
			t.Error("the check does not see the isolation")
		}
	})
}

// TestUnisolateIsDoneWhenTheSensorRejoined: the server's flag alone is no proof.
func TestUnisolateIsDoneWhenTheSensorRejoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEndpoint(edr.Windows)
		e.sensor.Isolation = edr.Isolated
		_, err := e.do(t, "unisolate", map[string]any{"wait": "1m"})
		if !errors.Is(err, edr.ErrTimeout) {
			t.Fatalf("a sensor that does not follow: %v, want ErrTimeout", err)
		}
		if e.already(t, "unisolate", nil) {
			t.Error("the check takes a requested release for a done one")
		}
		e.follows = 2
		if _, err := e.do(t, "unisolate", nil); err != nil {
			t.Fatal(err)
		}
		if !e.already(t, "unisolate", nil) {
			t.Error("the check does not see that the sensor rejoined")
		}
	})
}

func TestIsolateRecordsTheWishOfAnOfflineSensor(t *testing.T) {
	e := newEndpoint(edr.Windows)
	e.sensor.Online = false
	_, err := e.do(t, "isolate", nil)
	if !errors.Is(err, edr.ErrOffline) {
		t.Errorf("error = %v, want ErrOffline, so that the job waits for the sensor", err)
	}
	if e.sensor.Isolation != edr.IsolateRequested {
		t.Errorf("isolation = %s, want it requested", e.sensor.Isolation)
	}
}

func TestIsolateWithoutTheServersPower(t *testing.T) {
	e := newEndpoint(edr.Windows)
	task := e.task()
	task.Server = struct{ edr.Server }{named{}}
	if _, err := run(t, task, "isolate", nil); !errors.Is(err, edr.ErrUnsupported) {
		t.Errorf("error = %v, want ErrUnsupported", err)
	}
}

type named struct{ edr.Server }

func (named) Name() string { return "other" }

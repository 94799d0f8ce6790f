package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
)

// A server that takes no session back does not hold a shutdown up beyond the
// grace, whether a step still runs or the session idles.
func TestShutdownEndsWithTheGrace(t *testing.T) {
	for name, running := range map[string]bool{"a session that idles": false, "a step that runs": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newFakeServer(10)
				srv.add(1, 30*time.Second)
				srv.fail = func(request string, _ int) error {
					if request == "close" {
						return edr.ErrServer
					}
					return nil
				}
				s, stop := start(t, Config{Server: srv, Grace: 4 * time.Second, Linger: time.Hour})
				if running {
					srv.took = time.Hour
				}
				j := chain(1, step("test_read", "x"))
				enqueue(t, s, j)
				time.Sleep(time.Minute)
				begun := time.Now()
				stop()
				if took := time.Since(begun); took > 4*time.Second {
					t.Errorf("the shutdown took %v, the grace is 4s", took)
				}
				time.Sleep(2 * time.Hour) // what the sensor still does
			})
		})
	}
}

package jobs

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/edr"
)

// TestASensorThatIsOnlineAndRefusedAsOffline: what a server says of one sensor in its
// record and when a session is opened may differ, by its rules or for a while. It is
// asked again at growing intervals, and other sensors do not wait.
func TestASensorThatIsOnlineAndRefusedAsOffline(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"offline": edr.ErrOffline, "unknown": edr.ErrUnknownSensor} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := newFakeServer(2)
				srv.add(2, 30*time.Second)
				srv.fail = func(request string, sensor int) error {
					if request == "open" && sensor == 1 {
						return fmt.Errorf("sensor 1: %w", refusal)
					}
					return nil
				}
				s, stop := start(t, Config{Server: srv, Sessions: 1})
				defer stop()
				refused, other := chain(1, step("test_read", "a")), chain(2, step("test_read", "b"))
				enqueue(t, s, refused, other)
				if took := wantEnd(t, s, other.ID, Succeeded); took.Ended.Sub(took.Created) > time.Minute {
					t.Errorf("the other sensor's job took %v", took.Ended.Sub(took.Created))
				}
				time.Sleep(time.Minute)
				before := srv.seen().requests
				time.Sleep(time.Hour)
				after := srv.seen().requests
				if opens := after["open"] - before["open"]; opens < 4 || opens > 12 {
					t.Errorf("a session was asked for %d times in an hour, want 4 to 12", opens)
				}
				if all := after["all"] - before["all"]; all > 300 { // the sensor twice a minute, the sessions for other clients'
					t.Errorf("%d requests in an hour: %v", all, after)
				}
				x := wantReason(t, s, refused.ID, ReasonSilent)
				if !strings.Contains(x.Detail, "no session on sensor fake/1 before ") {
					t.Errorf("it waits: %s", x.Detail)
				}
				srv.failNot()
				ended := wantEnd(t, s, refused.ID, Succeeded)
				if n := ended.Attempts; n != 1 {
					t.Errorf("%d attempts, want 1: refusals are none", n)
				}
			})
		})
	}
}

// TestASensorThatReturnsDoesNotRest: it was refused while its record was out of date, was
// then seen offline, and begins when it is back.
func TestASensorThatReturnsDoesNotRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(2)
		srv.add(1, 30*time.Second)
		srv.fail = func(request string, _ int) error {
			if request == "open" {
				return edr.ErrOffline
			}
			return nil
		}
		s, stop := start(t, Config{Server: srv})
		defer stop()
		j := chain(1, step("test_read", "a"))
		enqueue(t, s, j)
		time.Sleep(20 * time.Minute) // by now it rests for a quarter of an hour
		srv.set(1, func(sn *fakeSensor) { sn.online = false })
		time.Sleep(2 * time.Minute)
		wantReason(t, s, j.ID, ReasonOffline)
		srv.failNot()
		srv.set(1, func(sn *fakeSensor) { sn.online = true })
		back := time.Now()
		if took := wantEnd(t, s, j.ID, Succeeded).Ended.Sub(back); took > 2*time.Minute {
			t.Errorf("ended %v after its return", took)
		}
	})
}

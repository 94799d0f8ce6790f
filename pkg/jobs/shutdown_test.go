package jobs

import (
	"context"
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
				s, stop := start(t, Config{Server: srv, Grace: 4 * time.Second})
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

// mute is a server that does not answer what commands a session has.
type mute struct {
	*fakeServer
	asked chan struct{} // closed when it is asked
}

type muteSession struct {
	edr.Session
	asked chan struct{}
}

func (m muteSession) Unwrap() edr.Session { return m.Session }

func (m mute) Open(ctx context.Context, sensor string) (edr.Session, error) {
	s, err := m.fakeServer.Open(ctx, sensor)
	return muteSession{s, m.asked}, err
}

func (m muteSession) Commands(ctx context.Context) ([]edr.Command, error) {
	close(m.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}

// The grace also ends the question whether a command, whose sending failed, can be
// taken back.
func TestShutdownEndsWithTheGraceWhileACommandIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := mute{newFakeServer(10), make(chan struct{})}
		srv.add(1, 30*time.Second)
		srv.fail = func(request string, _ int) error {
			if request == "lost" {
				return edr.ErrAmbiguous
			}
			return nil
		}
		s, stop := start(t, Config{Server: srv, Grace: 4 * time.Second})
		enqueue(t, s, chain(1, step("test_run", "x")))
		<-srv.asked
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("the shutdown took %v, the grace is 4s", took)
		}
	})
}

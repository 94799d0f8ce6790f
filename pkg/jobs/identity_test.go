package jobs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
)

// meaning is a job for sensor 1, host-1 at its server, that an event asked for which
// calls the sensor so.
func meaning(sensor, host string, steps ...actions.Step) *Job {
	j := chain(1, steps...)
	j.Event = &events.Event{}
	j.Event.Sensor.ID, j.Event.Sensor.Hostname = sensor, host
	return j
}

func TestHostNamesAreComparedBeforeTheFirstCommand(t *testing.T) {
	for name, c := range map[string]struct {
		sensor, host string
		policy       HostMismatch
		want         State
	}{
		"the same name":                             {"1", "host-1", "", Succeeded},
		"case and domain do not count":              {"1", "HOST-1.corp.example", "", Succeeded},
		"another name holds":                        {"1", "finance-dc", "", Held},
		"another name of an event without id":       {"", "finance-dc", "", Held},
		"another name is denied":                    {"1", "finance-dc", MismatchDeny, Denied},
		"another name is allowed":                   {"1", "finance-dc", MismatchAllow, Succeeded},
		"the event names no host":                   {"1", "", "", Succeeded},
		"the event is about another of the sensors": {"2", "host-2", "", Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := newFakeServer(10)
				srv.add(2, time.Second)
				s, stop := start(t, Config{Server: srv, HostMismatch: c.policy})
				defer stop()
				j := meaning(c.sensor, c.host, step("test_run", "x"))
				enqueue(t, s, j)
				time.Sleep(time.Minute)
				got, err := s.Get(t.Context(), j.ID)
				if err != nil || got.State != c.want {
					t.Fatalf("the job is %s (%s %s), %v, want %s", got.State, got.Reason, got.Detail, err, c.want)
				}
				if ran := len(srv.order[1]); (ran == 1) != (c.want == Succeeded) {
					t.Errorf("%d commands ran", ran)
				}
				if c.want == Held || c.want == Denied {
					if got.Reason != ReasonOtherHost || !strings.Contains(got.Detail, `"finance-dc"`) || !strings.Contains(got.Detail, `"host-1"`) {
						t.Errorf("the reason is %s: %s, want both names", got.Reason, got.Detail)
					}
				} else if got.Host != "host-1" {
					t.Errorf("the record says host %q, want the server's name", got.Host)
				}
			})
		})
	}
}

func TestPeopleSettleAnotherHostName(t *testing.T) {
	for _, allow := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			srv := newFakeServer(10)
			srv.add(1, time.Second)
			s, stop := start(t, Config{Server: srv})
			defer stop()
			j := meaning("1", "finance-dc", step("test_run", "x"), step("test_run", "y"))
			enqueue(t, s, j)
			time.Sleep(time.Minute)
			if _, err := s.Approve(t.Context(), j.ID, Answer{By: "ann", Allow: allow, Why: "seen it"}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			want, commands := Denied, 0
			if allow {
				want, commands = Succeeded, 2
			}
			if got, err := s.Get(t.Context(), j.ID); err != nil || got.State != want || len(srv.order[1]) != commands {
				t.Errorf("answered %t, the job is %s after %d commands, %v", allow, got.State, len(srv.order[1]), err)
			}
		})
	}
}

// TestUndoOnAnotherComputer: while a job waits to take back what it did, its sensor's
// id goes to another computer.
func TestUndoOnAnotherComputer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newFakeServer(10)
		srv.add(1, time.Second)
		s, stop := start(t, Config{Server: srv})
		defer stop()
		st := step("test_isolate", "x")
		st.UndoAfter = time.Hour
		j := meaning("1", "host-1", st)
		enqueue(t, s, j)
		wantEnd(t, s, j.ID, Succeeded)
		srv.set(1, func(f *fakeSensor) { f.host = "reception" })
		time.Sleep(2 * time.Hour)
		all, err := s.List(t.Context(), Query{})
		if err != nil || len(all) != 1 || !all[0].Undoes() || all[0].State != Held || all[0].Reason != ReasonOtherHost {
			t.Errorf("the undo is %+v, %v", all, err)
		}
	})
}

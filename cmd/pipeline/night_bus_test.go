package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/internal/natsd"
)

// nightNATS is a NATS server of its own.
type nightNATS struct {
	t    *testing.T
	conf natsd.Config
	s    *natsd.Server // nil: it is down
}

func newNightNATS(t *testing.T) *nightNATS {
	n := &nightNATS{t: t, conf: natsd.Config{Dir: t.TempDir(), Listen: freePort(t), Pass: "night", Sync: time.Minute, Log: zerolog.Nop()}}
	n.up()
	t.Cleanup(n.down)
	return n
}

func (n *nightNATS) up() {
	var err error
	if n.s, err = natsd.Start(n.conf); err != nil {
		n.t.Error(err)
	}
}

func (n *nightNATS) down() {
	if n.s == nil {
		return
	}
	if err := n.s.Close(); err != nil {
		n.t.Error(err)
	}
	n.s = nil
}

func (n *nightNATS) setup() nightSetup {
	return nightSetup{
		files:  map[string]string{"bus.password": "night"},
		config: fmt.Sprintf("bus: { url: %q, user: operator, password_file: DIR/bus.password }", "nats://"+n.conf.Listen),
	}
}

// do has something done to the streams, as somebody with the operator's password would.
func (n *nightNATS) do(what func(js jetstream.JetStream) error) {
	n.t.Helper()
	c, err := nats.Connect("nats://"+n.conf.Listen, nats.UserInfo("operator", "night"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err == nil {
		err = what(js)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// nightBus are the situations of the bus and its disk.
func nightBus() []situation {
	var bus, paused, lost *nightNATS
	of := func(n **nightNATS) func(t *testing.T) nightSetup {
		return func(t *testing.T) nightSetup { *n = newNightNATS(t); return (*n).setup() }
	}
	all := []situation{
		{
			name: "bus gone", fault: "the NATS server ends while a job waits for its endpoint", looks: 5 * time.Second, interval: "at once",
			setup: of(&bus),
			strike: func(w *nightWorld) {
				if err := w.sim.SetPower(1, false); err != nil {
					w.t.Fatal(err)
				}
				w.attack()
				bus.down()
			},
			health: `failed bus since .*NATS[^→]*→`, page: `bus: failed: `, why: `what became of it cannot be read now: bus: failed: .*`,
			cure: "start NATS; nothing has to be done here", heal: func(w *nightWorld) {
				bus.up()
				if err := w.sim.SetPower(1, true); err != nil {
					w.t.Fatal(err)
				}
			},
		},
		{
			name: "intake not reading", fault: "somebody paused the consumer of the events; an event comes", looks: 10 * time.Second, interval: "the consumer every 5 s; whatever else keeps a canary from passing, after 90 s",
			setup: of(&paused),
			strike: func(w *nightWorld) {
				paused.do(func(js jetstream.JetStream) error {
					_, err := js.PauseConsumer(w.t.Context(), "EVENTS", "rules", time.Now().Add(time.Hour))
					return err
				})
				w.post(w.process(1))
			},
			health: `failed intake since .* consumer rules of stream EVENTS is paused[^→]*nats consumer resume EVENTS rules → `, page: `intake: failed: .*is paused`, why: `events are not read now, and the newest have no job yet: .*is paused`,
			cure: "`nats consumer resume EVENTS rules`", heal: func(w *nightWorld) {
				paused.do(func(js jetstream.JetStream) error {
					_, err := js.ResumeConsumer(w.t.Context(), "EVENTS", "rules")
					return err
				})
			},
			healed: func(w *nightWorld) bool { return len(w.jobs("succeeded")) == 1 },
		},
		{
			name: "consumer of the events deleted", fault: "somebody deletes the durable consumer; an event comes", looks: 5 * time.Second, interval: "every 5 s",
			setup: of(&lost),
			strike: func(w *nightWorld) {
				lost.do(func(js jetstream.JetStream) error { return js.DeleteConsumer(w.t.Context(), "EVENTS", "rules") })
				w.post(w.process(1))
			},
			health: "— it is made again within seconds, by itself, where it had been", page: "— as health", why: "— the event is acted on",
			cure: "none is needed", heal: func(*nightWorld) {}, healed: func(w *nightWorld) bool { return len(w.jobs("succeeded")) == 1 },
		},
	}
	return slices.Concat(all, nightEvidence(), nightDisk())
}

// nightEvidence are the situations of the audit log and of the clock.
func nightEvidence() []situation {
	var cut, behind *nightNATS
	var clock *clockProxy
	return []situation{
		{
			name: "audit log damaged", fault: "somebody deletes the stream of the audit log", looks: 10 * time.Second, interval: "every 5 s, and at the start",
			setup: func(t *testing.T) nightSetup { cut = newNightNATS(t); return cut.setup() },
			strike: func(w *nightWorld) {
				w.attack()
				cut.do(func(js jetstream.JetStream) error { return js.DeleteStream(w.t.Context(), "AUDIT") })
			},
			health: `failed audit since .* the log is not what it was: stream AUDIT was deleted while the service ran[^→]*→ look with pipeline audit verify`, page: `audit: failed: the log is not what it was: stream AUDIT was deleted`, why: "— what was done is in the records of the jobs, too",
			cure: "after `pipeline audit verify`: keep what is left (`pipeline state export`), stop the service, put the notes of the old log aside, `mv data/audit.heads audit.heads.proof`, and start it", heal: func(w *nightWorld) {
				w.end(syscall.SIGTERM)
				if err := os.Rename(w.path("data/audit.heads"), w.path("audit.heads.proof")); err != nil {
					w.t.Fatal(err)
				}
				w.start()
			}, healed: acts(),
		},
		{
			name: "the clock of the machine is wrong", fault: "the bus's time is a minute ahead of this machine's; an event comes", looks: 11 * time.Second, interval: "every 10 s",
			setup: func(t *testing.T) nightSetup {
				behind = newNightNATS(t)
				clock = newClockProxy(t, behind.conf.Listen)
				s := behind.setup()
				s.config = strings.ReplaceAll(s.config, behind.conf.Listen, clock.addr)
				return s
			},
			strike: func(w *nightWorld) { clock.offset.Store(int64(time.Minute)); w.attack() },
			health: `degraded clock since .* the clock of this machine and that of the bus are -?1m0s apart; the bus's is used[^→]*→ have NTP set`, page: `clock works less than it should: the clock of this machine and that of the bus are -?1m0s apart`, why: "— the bus's time is used: the event is acted on",
			cure: "set the clock (NTP)", heal: func(*nightWorld) { clock.offset.Store(0) },
		},
	}
}

// nightDisk is the situation of a full disk, where this machine lets a test have one.
func nightDisk() []situation {
	if !canMount {
		return nil
	}
	return []situation{{
		name: "disk full", fault: "a file fills the disk of the data directory up to 8 MiB, with `bus.floor` of 16 MiB; an event comes", looks: time.Second, interval: "every second",
		setup: func(*testing.T) nightSetup {
			return nightSetup{config: "bus: { floor: 16777216 }", disk: "64m"}
		},
		strike: func(w *nightWorld) {
			if err := os.WriteFile(filepath.Join(w.path("data"), "ballast"), make([]byte, freeBytes(w.t, w.path("data"))-8<<20), 0o600); err != nil {
				w.t.Fatal(err)
			}
		},
		health: `failed disk since .*MiB left, bus.floor is 16 MiB[^→]*→`, page: `disk: failed: .*MiB left, bus.floor is 16 MiB`, why: `no new event is taken now: .*MiB left, bus.floor is 16 MiB`,
		cure: "make room: `rm` of what fills the disk, or `bus.floor`", heal: func(w *nightWorld) {
			if err := os.Remove(filepath.Join(w.path("data"), "ballast")); err != nil {
				w.t.Fatal(err)
			}
		}, healed: acts(),
	}}
}

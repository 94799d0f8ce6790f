//go:build linux

package chaos

import (
	"bytes"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
)

// crashPoint is a named place in the life of an event and its job at which a
// replica is killed: right before something leaves it or, with answered, when
// that has had its effect and the answer is on its way.
type crashPoint struct {
	name     string
	kind     kind // of the event that leads there
	answered bool
	sends    func(message) bool       // to the bus
	receives func(message) bool       // from the bus
	asks     func(*http.Request) bool // the EDR server
}

func (c *crashPoint) String() string {
	if c.answered {
		return c.name + ", done"
	}
	return c.name
}

// to matches messages by subject, as path.Match has it.
func to(pattern string) func(message) bool {
	return func(m message) bool {
		ok, err := path.Match(pattern, m.subject)
		return ok && err == nil
	}
}

func asks(method, pattern string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		ok, err := path.Match(pattern, r.URL.Path)
		return r.Method == method && ok && err == nil
	}
}

// crashPoints are every write that a replica makes and every request that changes
// something, before and after: what pkg/jobs names for the scheduler alone, and
// what the whole service adds. In the order in which an event passes them.
func crashPoints() (all []*crashPoint) {
	for _, p := range []crashPoint{
		{name: "isolation asked for", kind: worm, asks: asks(http.MethodPut, "/api/v1/sensor/*")},
		{name: "event received", kind: hit, receives: func(m message) bool { return strings.HasPrefix(m.reply, "$JS.ACK.EVENTS.rules.") }},
		{name: "dead letter", kind: poison, sends: to("edr.dead.*")},
		{name: "decision", kind: jewel, sends: to("edr.jobs.*.decision")},
		{name: "job recorded", kind: hit, sends: record(`"state":"queued"`, `"rule":"respond"`)},
		{name: "event settled", kind: hit, sends: to("$JS.ACK.EVENTS.rules.*")},
		{name: "notice", kind: hit, sends: to("edr.jobs.*.queued")},
		{name: "audit entry", kind: hit, sends: to("edr.audit")},
		{name: "sensor claimed", kind: hit, sends: to("$KV.control.slots.*")},
		{name: "session asked for", kind: hit, asks: asks(http.MethodPost, "/api/v1/cblr/session")},
		{name: "job running", kind: hit, sends: record(`"state":"running"`)},
		{name: "step intent", kind: hit, sends: record(`"state":"intent"`)},
		{name: "command sent", kind: hit, asks: asks(http.MethodPost, "/api/v1/cblr/session/*/command")},
		{name: "step submitted", kind: hit, sends: record(`"state":"submitted"`)},
		{name: "step ended", kind: hit, sends: record(`"state":"running"`, `"state":"ok"`)},
		{name: "step notice", kind: hit, sends: to("edr.jobs.*.step")},
		{name: "job ended", kind: hit, sends: record(`"ended"`, `"state":"succeeded"`)},
		{name: "result published", kind: hit, sends: to("edr.results.*.*")},
		{name: "job archived", kind: hit, sends: to("$KV.jobs-finished.*")},
		{name: "record cleared", kind: hit, sends: func(m message) bool {
			return strings.HasPrefix(m.subject, "$KV.jobs.") && bytes.Contains(m.header, []byte("PURGE"))
		}},
		{name: "session closed", kind: hit, asks: asks(http.MethodPut, "/api/v1/cblr/session/*")},
	} {
		before, after := p, p
		after.answered = true
		if all = append(all, &before); p.receives == nil {
			all = append(all, &after)
		}
	}
	return all
}

// TestCrashPoints kills a replica at each of its crash points in turn while
// another one works, and then holds everything to its promises.
func TestCrashPoints(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	t.Parallel()
	w := newWorld(t, shape{
		nodes: 1, replicas: 2, sensors: 10, sync: time.Second,
		sim: edrsim.Config{TimeScale: 20, CheckIn: 10 * time.Second, Seed: 1},
	})
	c := newChaos(w, 1)
	var l ledger
	for i, p := range crashPoints() {
		if !c.dieAt(p, &l, i) {
			t.Errorf("nobody came to %q: the crash was not tried", p)
		}
	}
	if err := c.settle(t.Context(), time.Minute); err != nil {
		t.Error(err)
	}
	c.verdict(&l)
	t.Logf("%d of %d crash points", len(c.done), len(crashPoints()))
}

// dieAt has an event lead some replica to a crash point, and starts the replica
// again when it is dead.
func (c *chaos) dieAt(p *crashPoint, l *ledger, n int) bool {
	c.t.Helper()
	dead := make(chan int, len(c.taps))
	for i, tap := range c.taps {
		fired := tap.arm(p, 0)
		go func() {
			select {
			case <-fired:
				dead <- i
			case <-c.t.Context().Done():
			}
		}()
	}
	s, err := c.servers[0].event(p.kind, l.next(), 2+n%(c.shape.sensors-1))
	c.must(err)
	c.deliver(c.t.Context(), l, s, false)
	victim := -1
	select {
	case victim = <-dead:
		c.done[p.String()]++
	case <-time.After(30 * time.Second):
	}
	for i, tap := range c.taps {
		if i == victim || !tap.disarm() {
			c.must(c.replicas[i].Start())
			c.must(c.replicas[i].Up(time.Minute))
		}
	}
	return victim >= 0
}

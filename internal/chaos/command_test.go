//go:build linux && chaos

package chaos

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
)

// stamped is a simulated EDR server that tells when commands arrive.
type stamped struct {
	next     http.Handler
	commands chan time.Time
}

func (s *stamped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/command") {
		s.commands <- time.Now()
	}
	s.next.ServeHTTP(w, r)
}

// commanding is a world in which one event at a time makes a command on a session
// that is kept.
type commanding struct {
	*world
	sim    stamped
	events int
}

func newCommanding(t *testing.T, tapped bool) *commanding {
	c := &commanding{sim: stamped{commands: make(chan time.Time, 1)}}
	c.world = newWorld(t, shape{
		nodes: 1, replicas: 1, sync: length(t, "SYNC", time.Second), direct: true, tapped: tapped, rules: listOnly,
		sim:   edrsim.Config{CheckIn: time.Second, Fleet: []edrsim.SensorSpec{{Count: 3, Latency: edrsim.Latency{Min: time.Millisecond, Max: 2 * time.Millisecond}}}},
		front: func(next http.Handler) http.Handler { c.sim.next = next; return &c.sim },
	})
	c.event() // opens the session, which waits for a check-in
	return c
}

// event sends one and returns when, and when its command came to the server; all
// is at rest again then.
func (c *commanding) event() (begun, arrived time.Time) {
	c.t.Helper()
	begun = time.Now()
	c.publishEvent(begun)
	select {
	case arrived = <-c.sim.commands:
	case <-time.After(time.Minute):
		c.t.Fatal("no command came")
	}
	eventually(c.t, 10*time.Second, func() bool { left, err := c.unsettled(c.t.Context()); return err == nil && left == "" })
	return begun, arrived
}

func (c *commanding) publishEvent(at time.Time) {
	c.t.Helper()
	c.events++
	c.must(c.send(c.t.Context(), sent{pid: c.events, line: procstart(2, 1000+c.events, "evil.exe", at)}, false))
}

// TestFirstCommand measures event published → first Live Response command at the
// server, on a session that is kept, against the floor: the same message through
// the same bus and one request to the same server.
func TestFirstCommand(t *testing.T) {
	n := number(t, "N", 300)
	c := newCommanding(t, false)
	var took []time.Duration
	for range n {
		begun, arrived := c.event()
		took = append(took, arrived.Sub(begun))
	}
	c.replicas[0].Kill()
	floor := c.floor(n)
	for _, q := range []int{50, 99} {
		a, b := percentile(took, q), percentile(floor, q)
		t.Logf("event → first command, p%d: %v; floor %v; ratio %.1f", q, a, b, float64(a)/float64(b))
	}
}

// floor measures the raw bus and HTTP.
func (c *commanding) floor(n int) (took []time.Duration) {
	consumer, err := c.bus.JetStream().CreateConsumer(c.t.Context(), bus.StreamEvents, natsjs.ConsumerConfig{AckPolicy: natsjs.AckExplicitPolicy, DeliverPolicy: natsjs.DeliverNewPolicy})
	c.must(err)
	messages, err := consumer.Messages()
	c.must(err)
	defer messages.Stop()
	for range n {
		begun := time.Now()
		c.publishEvent(begun)
		m, err := messages.Next()
		c.must(err)
		c.must(m.Ack())
		res, err := http.Post(c.servers[0].url+"/api/v1/cblr/session/0/command", "application/json", strings.NewReader("{}"))
		c.must(err)
		_ = res.Body.Close()
		took = append(took, (<-c.sim.commands).Sub(begun))
	}
	return took
}

// percentile is the q-th percentile.
func percentile(all []time.Duration, q int) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)*q/100]
}

// stage is something that the first command waits for: a message of the bus, or a
// question and its answer.
type stage struct {
	name string
	out  bool // the service asks
	is   func(message) bool
}

// stages are those of the way, in the order in which they begin.
func stages() []stage {
	return []stage{
		{"event delivered", false, func(m message) bool { return strings.HasPrefix(m.reply, "$JS.ACK.EVENTS.") }},
		{"suppression: claimed", true, to("$KV.control.rules.suppress.*")},
		{"finished jobs: is the job one of them", true, to("$JS.API.DIRECT.GET.KV_jobs-finished.$KV.jobs-finished.*")},
		{"job recorded", true, record(`"state":"queued"`)},
		{"last revision of the records", true, to("$JS.API.STREAM.INFO.KV_jobs")},
		{"the job's record", true, to("$JS.API.DIRECT.GET.KV_jobs.$KV.jobs.*")},
		{"job running", true, record(`"state":"running"`)},
		{"guard: switches", true, to("$JS.API.DIRECT.GET.KV_control.$KV.control.guard.control")},
		{"guard: the rule's breaker", true, to("$JS.API.DIRECT.GET.KV_control.$KV.control.guard.breaker.*")},
		{"intent recorded", true, record(`"state":"intent"`)},
	}
}

// passage is when one event passed a stage, since it was sent; answered is zero
// where nothing is asked.
type passage struct{ begun, answered time.Duration }

// TestFirstCommandPath prints where the time between an event and its first
// command goes. The tap that sees it costs some time of its own.
func TestFirstCommandPath(t *testing.T) {
	n := number(t, "N", 300)
	c := newCommanding(t, true)
	all := make([][]passage, len(stages()))
	var took []time.Duration
	for range n {
		w := &way{stages: stages(), open: map[string]int{}, at: make([]passage, len(all)), since: time.Now()}
		c.look(w.look)
		begun, arrived := c.event()
		c.look(nil)
		took = append(took, arrived.Sub(begun))
		for i, p := range w.at {
			if p != (passage{}) {
				all[i] = append(all[i], p)
			}
		}
	}
	t.Log("| since the event was sent, p50 | | answered after, p50 | p99 |")
	for i, s := range stages() {
		if len(all[i]) < n/2 {
			t.Errorf("%s: seen %d times of %d", s.name, len(all[i]), n)
			continue
		}
		var begun, answer []time.Duration
		for _, p := range all[i] {
			begun, answer = append(begun, p.begun), append(answer, p.answered-p.begun)
		}
		line := fmt.Sprintf("| %.2f ms | %s |", ms(percentile(begun, 50)), s.name)
		if s.out {
			line += fmt.Sprintf(" %.2f ms | %.2f ms |", ms(percentile(answer, 50)), ms(percentile(answer, 99)))
		}
		t.Log(line)
	}
	t.Logf("| %.2f ms | command at the EDR server; p99 %.2f ms |", ms(percentile(took, 50)), ms(percentile(took, 99)))
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func (c *commanding) look(f func(bool, message)) {
	c.taps[0].mu.Lock()
	defer c.taps[0].mu.Unlock()
	c.taps[0].look = f
}

// way is that of one event.
type way struct {
	stages []stage
	since  time.Time
	open   map[string]int // stage by the subject of its answer
	at     []passage
}

// look notes the first message of each stage.
func (w *way) look(out bool, m message) {
	now := time.Since(w.since)
	if i, ok := w.open[m.subject]; ok && !out {
		w.at[i].answered = now
		delete(w.open, m.subject)
		return
	}
	for i, s := range w.stages {
		if s.out == out && w.at[i] == (passage{}) && s.is(m) {
			w.at[i].begun = now
			if out {
				w.open[m.reply] = i
			}
			return
		}
	}
}

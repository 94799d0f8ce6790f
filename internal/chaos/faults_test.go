//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"edrpipe/pkg/edrsim"
)

// usual is what goes wrong at the EDR server all the time.
var usual = edrsim.Faults{
	"500": .01, "503": .01, "504": .005, "error-message": .005, "lost-answer": .01, "reset": .01,
	"truncated": .005, "slow": .005, "session-drop": .003, "hang": .001,
}

// storm is what goes wrong for a moment.
var storm = edrsim.Faults{"500": .15, "503": .1, "lost-answer": .1, "reset": .1, "truncated": .05, "session-drop": .03}

// fault is something bad that begins now and ends after a while.
type fault struct {
	name   string
	lasts  time.Duration
	begin  func() error // errMissed: it did not come to it
	end    func() error
	victim any // no second fault befalls it meanwhile
	also   any // nor this; nil: nothing
}

var errMissed = errors.New("nobody came to the crash point")

// chaos breaks a world on schedule and mends it.
type chaos struct {
	*world
	rand *rand.Rand
	draw func() fault  // the next one
	rest time.Duration // the longest that a round took to come to rest

	mu      sync.Mutex
	busy    map[any]bool
	under   int            // faults under way
	done    map[string]int // faults by name
	gaveUp  int            // processes that ended without having been killed
	errs    []error
	pending sync.WaitGroup
}

func newChaos(w *world, seed uint64) *chaos {
	return &chaos{world: w, rand: rand.New(rand.NewPCG(seed, 2)), busy: map[any]bool{}, done: map[string]int{}}
}

// count is how many faults there were.
func (c *chaos) count() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.done {
		n += k
	}
	return n
}

// rage injects n faults, one every gap or so, several of them at once, and
// returns when all is well again. It ends early with ctx.
func (c *chaos) rage(ctx context.Context, n int, gap time.Duration) error {
	if err := c.sim.SetFaults(usual); err != nil {
		return err
	}
	for want := c.count() + n; ctx.Err() == nil; {
		if c.planned() >= want {
			c.pending.Wait() // and then make up for those that did not come about
			if c.planned() >= want {
				break
			}
		}
		f := c.draw()
		for tries := 0; !c.claim(f) && tries < 100; tries++ {
			f = c.draw() // that one's victim lies on the floor already
		}
		c.t.Logf("%s for %v", f.name, f.lasts)
		c.pending.Go(func() { c.inflict(ctx, f) })
		select {
		case <-ctx.Done():
		case <-time.After(gap/2 + time.Duration(c.rand.Int64N(int64(gap)))):
		}
	}
	c.pending.Wait()
	if err := c.sim.SetFaults(nil); err != nil {
		return err
	}
	return errors.Join(c.errs...)
}

// planned is how many faults there are, with those under way.
func (c *chaos) planned() int {
	n := c.count()
	c.mu.Lock()
	defer c.mu.Unlock()
	return n + c.under
}

// supervise starts again what ended by itself, as an init system does, until ctx ends.
func (c *chaos) supervise(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, p := range append(slices.Clone(c.nodes), c.replicas...) {
			if err := c.revive(p); err != nil {
				return err
			}
		}
	}
}

func (c *chaos) revive(p *process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[p] || p.alive() {
		return nil
	}
	c.gaveUp++
	c.t.Logf("%s ended by itself: %s", p.name, p.tail(300))
	return p.start()
}

func (c *chaos) claim(f fault) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[f.victim] || c.busy[f.also] {
		return false
	}
	c.busy[f.victim] = true
	c.under++
	if f.also != nil {
		c.busy[f.also] = true
	}
	return true
}

func (c *chaos) inflict(ctx context.Context, f fault) {
	err := f.begin()
	missed := errors.Is(err, errMissed)
	if !missed {
		select {
		case <-ctx.Done():
		case <-time.After(f.lasts):
		}
		if e := f.end(); err == nil {
			err = e
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, f.victim)
	delete(c.busy, f.also)
	c.under--
	if missed {
		return
	}
	name, _, _ := strings.Cut(f.name, ":")
	c.done[name]++
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("%s: %w", f.name, err))
	}
}

// table lists how often each fault came.
func (c *chaos) table() string {
	var b strings.Builder
	total := 0
	for _, name := range slices.Sorted(maps.Keys(c.done)) {
		fmt.Fprintf(&b, "%6d  %s\n", c.done[name], name)
		total += c.done[name]
	}
	fmt.Fprintf(&b, "%6d  in all\n", total)
	asked := 0
	for name, n := range c.sim.Counters().Faults {
		fmt.Fprintf(&b, "%6d  request to the EDR server: %s\n", n, name)
		asked += int(n)
	}
	fmt.Fprintf(&b, "%6d  requests spoilt in all\n", asked)
	return b.String()
}

// anything draws a fault of any kind.
func (c *chaos) anything() fault {
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(c.rand.Int64N(int64(b-a))) }
	replica := c.rand.IntN(len(c.replicas))
	node := c.nodes[c.rand.IntN(len(c.nodes))]
	edr, busLink := c.edrLinks[replica], c.busLinks[c.rand.IntN(len(c.busLinks))]
	switch x := c.rand.IntN(100); {
	case x < 10:
		return killed(c.replicas[replica], between(50*time.Millisecond, 2*time.Second))
	case x < 20:
		return c.crash(replica, between(50*time.Millisecond, 2*time.Second))
	case x < 27:
		return stopped(c.replicas[replica], between(200*time.Millisecond, 8*time.Second))
	case x < 32:
		return killed(node, between(50*time.Millisecond, 1500*time.Millisecond))
	case x < 36:
		return stopped(node, between(200*time.Millisecond, 3*time.Second))
	case x < 46:
		return cut(edr, between(100*time.Millisecond, 3*time.Second))
	case x < 56:
		return cut(busLink, between(100*time.Millisecond, 3*time.Second))
	case x < 62:
		return spoilt(edr, "latency", `{"latency":300,"jitter":300}`, between(time.Second, 4*time.Second))
	case x < 68:
		return spoilt(busLink, "latency", `{"latency":200,"jitter":200}`, between(time.Second, 4*time.Second))
	case x < 74:
		return spoilt(edr, "reset_peer", `{"timeout":50}`, between(200*time.Millisecond, 2*time.Second))
	case x < 79:
		return spoilt(busLink, "bandwidth", `{"rate":20}`, between(time.Second, 4*time.Second)) // a slow consumer
	case x < 83:
		return spoilt(edr, "slicer", `{"average_size":20,"size_variation":10,"delay":1000}`, between(time.Second, 3*time.Second))
	case x < 90:
		return c.lyingServer(between(500*time.Millisecond, 3*time.Second))
	case x < 94:
		return c.clockJump(between(10*time.Second, 2*time.Minute))
	case x < 97 || c.ballast == "":
		return c.sleeper(2+c.rand.IntN(c.shape.sensors-1), between(time.Second, 5*time.Second))
	default:
		return c.fullDisk(node, between(500*time.Millisecond, 2*time.Second))
	}
}

func killed(p *process, lasts time.Duration) fault {
	return fault{
		name: "kill -9 of a " + kindOf(p) + ": " + p.name, lasts: lasts, victim: p,
		begin: func() error { p.kill(); return nil },
		end: func() error {
			// A replica may be killed again before it is up, and may give up while the
			// bus is away: both are what a supervisor sees, and it starts it again.
			return p.start()
		},
	}
}

// crash kills a replica at a crash point, if it comes there soon.
func (c *chaos) crash(replica int, lasts time.Duration) fault {
	all := crashPoints()
	at, tap, skip := all[c.rand.IntN(len(all))], c.taps[replica], c.rand.IntN(3)
	f := killed(c.replicas[replica], lasts)
	f.name = "kill -9 at a crash point: " + f.victim.(*process).name + ", " + at.String()
	f.begin = func() error {
		fired := tap.arm(at, skip)
		select {
		case <-fired:
		case <-time.After(5 * time.Second):
			if tap.disarm() {
				return errMissed
			}
			<-fired
		}
		return nil
	}
	return f
}

func stopped(p *process, lasts time.Duration) fault {
	return fault{
		name: "SIGSTOP of a " + kindOf(p) + ": " + p.name, lasts: lasts, victim: p,
		begin: func() error { p.signal(syscall.SIGSTOP); return nil },
		end:   func() error { p.signal(syscall.SIGCONT); return nil },
	}
}

func kindOf(p *process) string { return strings.TrimRight(p.name, "0123456789") }

func cut(l *link, lasts time.Duration) fault {
	return fault{
		name: "cut: " + l.name, lasts: lasts, victim: l,
		begin: func() error { l.cut(); return nil },
		end:   l.mend,
	}
}

func spoilt(l *link, kind, attributes string, lasts time.Duration) fault {
	return fault{
		name: kind + ": " + l.name, lasts: lasts, victim: l,
		begin: func() error { return l.spoil(kind, attributes) },
		end:   func() error { l.clear(); return nil },
	}
}

func (c *chaos) lyingServer(lasts time.Duration) fault {
	return fault{
		name: "storm of EDR errors", lasts: lasts, victim: "storm",
		begin: func() error { return c.sim.SetFaults(storm) },
		end:   func() error { return c.sim.SetFaults(usual) },
	}
}

func (c *chaos) clockJump(ahead time.Duration) fault {
	return fault{
		name: "clock of the EDR server jumps: " + ahead.String(), victim: "clock",
		begin: func() error { c.sim.Advance(ahead); return nil },
		end:   func() error { return nil },
	}
}

func (c *chaos) sleeper(sensor int, lasts time.Duration) fault {
	return fault{
		name: fmt.Sprintf("sensor switched off: %d", sensor), lasts: lasts, victim: sensor,
		begin: func() error { return c.sim.SetPower(sensor, false) },
		end:   func() error { return c.sim.SetPower(sensor, true) },
	}
}

// fullDisk fills the bus's disk. A bus whose disk was full has to be started again
// once there is space: nats-server does not write to a stream any more on which
// a write has failed.
func (c *chaos) fullDisk(node *process, lasts time.Duration) fault {
	return fault{
		name: "disk of the bus is full", lasts: lasts, victim: node,
		begin: func() error { return fill(c.ballast) },
		end: func() error {
			if err := os.Remove(c.ballast); err != nil {
				return err
			}
			node.kill()
			return node.start()
		},
	}
}

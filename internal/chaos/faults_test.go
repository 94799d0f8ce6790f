//go:build linux

package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
	if err := c.eachServer(func(s *server) error { return s.sim.SetFaults(usual) }); err != nil {
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
	if err := c.eachServer(func(s *server) error { s.withheld.Store(false); return s.sim.SetFaults(nil) }); err != nil {
		return err
	}
	return errors.Join(c.errs...)
}

func (c *chaos) eachServer(f func(*server) error) error {
	var all []error
	for _, s := range c.servers {
		all = append(all, f(s))
	}
	return errors.Join(all...)
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
	if c.busy[p] || p.Alive() {
		return nil
	}
	c.gaveUp++
	c.t.Logf("%s ended by itself: %s", p.name, p.Tail(300))
	return p.Start()
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
	for _, s := range c.servers {
		for name, n := range s.sim.Counters().Faults {
			fmt.Fprintf(&b, "%6d  request to the EDR server %s: %s\n", n, s.name, name)
			asked += int(n)
		}
	}
	fmt.Fprintf(&b, "%6d  requests spoilt in all\n", asked)
	return b.String()
}

//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/edrsim"
)

// form is how long a run is and how hard. A run is several worlds at once, each
// with replicas, a bus, an EDR server and a seed of its own; a world goes through
// rounds of faults and comes to rest after each.
type form struct {
	seeds  []uint64 // of worlds that are the same in every run
	worlds int      // in all; those beyond seeds get seeds of their own
	shape

	faults, round int           // of a world
	gap           time.Duration // between faults
	every         time.Duration // between events
	atRest        time.Duration // how long the work that is left may take
	limit         time.Duration // after which no more faults are injected
}

// TestChaos lets everything go wrong and then holds every promise against what
// happened. It is short here; with -tags chaos it is long.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	f := theForm
	f.shape = shape{
		nodes: 1, replicas: 3, sensors: 10, newcomers: f.newcomers, disk: 256, sync: time.Second, late: true,
		sim: edrsim.Config{TimeScale: 20, CheckIn: 10 * time.Second},
	}
	f.run(t, (*chaos).anything)
}

// run runs the worlds of a form. On SIGINT and after the form's limit no more
// faults are injected; what happened is checked all the same.
func (f form) run(t *testing.T, draw func(*chaos) fault) {
	f.faults, f.worlds = number(t, "FAULTS", f.faults*f.worlds), number(t, "WORLDS", f.worlds)
	f.faults = (f.faults + f.worlds - 1) / f.worlds
	limit, err := time.ParseDuration(os.Getenv("LIMIT"))
	if err != nil {
		limit = f.limit
	}
	raging, stop := context.WithTimeout(t.Context(), limit)
	t.Cleanup(stop)
	raging, stop = signal.NotifyContext(raging, syscall.SIGINT)
	t.Cleanup(stop)
	first := theSeed(t)
	for i := range f.worlds {
		seed := first + uint64(i)
		if i < len(f.seeds) && os.Getenv("CHAOS_SEED") == "" {
			seed = f.seeds[i]
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			s := f.shape
			s.sim.Seed = seed
			s.second = edrsim.Kinds[i%len(edrsim.Kinds)]
			c := newChaos(newWorld(t, s), seed)
			c.draw = func() fault { return draw(c) }
			c.run(raging, f, seed)
		})
	}
}

// run feeds events while faults are injected, waits until all work is done, again
// and again, and checks every promise.
func (c *chaos) run(raging context.Context, f form, seed uint64) {
	c.t.Helper()
	var l ledger
	if err := c.keepUp(func(ctx context.Context) error {
		for n := 0; n < f.faults && (n == 0 || raging.Err() == nil); n += f.round {
			if err := c.round(ctx, raging, &l, f, seed+uint64(n), min(f.round, f.faults-n)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		c.t.Error(err)
		c.autopsy()
	}
	c.verdict(&l)
}

// autopsy has the replicas that do not come to rest say what they are doing: their
// goroutines are in their logs, which CHAOS_LOGS keeps.
func (c *chaos) autopsy() {
	for _, s := range c.servers {
		table, err := c.slotTable(c.t.Context(), s)
		c.t.Logf("slot table of %s: %+v %v", s.name, table, err)
	}
	for _, r := range c.replicas {
		r.End(syscall.SIGQUIT)
	}
}

// keepUp does what work does, while a supervisor starts again whatever ends by itself.
func (c *chaos) keepUp(work func(context.Context) error) error {
	var g errgroup.Group
	ctx, stop := context.WithCancel(c.t.Context())
	defer stop()
	g.Go(func() error { return c.supervise(ctx) })
	g.Go(func() error { defer stop(); return work(c.t.Context()) })
	return g.Wait()
}

// feeders is how many senders give events to a world.
const feeders = 4

// round injects n faults, or fewer if raging ends, and waits for rest.
func (c *chaos) round(ctx, raging context.Context, l *ledger, f form, seed uint64, n int) error {
	var work errgroup.Group
	feeding, enough := context.WithCancel(ctx)
	defer enough()
	for i := range feeders {
		work.Go(func() error { return c.feed(feeding, l, rand.New(rand.NewPCG(seed, 10+uint64(i))), feeders*f.every) })
	}
	work.Go(func() error {
		defer enough()
		return c.rage(raging, n, f.gap)
	})
	if err := work.Wait(); err != nil {
		return err
	}
	begun := time.Now()
	err := c.settle(ctx, f.atRest)
	c.rest = max(c.rest, time.Since(begun))
	c.t.Logf("%d faults, %d events accepted; at rest after %v", c.count(), len(l.accepted), time.Since(begun).Round(time.Millisecond))
	return err
}

// verdict reads what happened and reports every broken promise.
func (c *chaos) verdict(l *ledger) {
	c.t.Helper()
	e, err := c.gather(c.t.Context(), l)
	if err != nil {
		c.t.Fatal(err)
	}
	broken := e.check()
	for _, p := range broken[:min(len(broken), 20)] {
		c.t.Error(p)
	}
	c.t.Logf("%d promises broken; at rest at most %v after the last fault of a round:\n%s%s%d events were sent again, because nobody had acknowledged them; %d processes ended by themselves",
		len(broken), c.rest.Round(time.Millisecond), c.table(), e.summary(), l.retries, c.gaveUp)
}

// theSeed is that of the environment, or a new one.
func theSeed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("CHAOS_SEED=%d", seed)
	return seed
}

// number is a setting of the environment.
func number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

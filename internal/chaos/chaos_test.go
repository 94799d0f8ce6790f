//go:build linux

package chaos

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/edrsim"
)

// form is how long a run is.
type form struct {
	replicas, faults, events int
	gap                      time.Duration // between faults
	every                    time.Duration // between events
	atRest                   time.Duration // how long the work that is left may take
}

// TestChaos lets everything go wrong and then holds every promise against what
// happened. It is short here; with -tags chaos it is long.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes twenty seconds")
	}
	f, seed := theForm, uint64(time.Now().UnixNano())
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("CHAOS_SEED=%d", seed)
	w := newWorld(t, shape{
		nodes: 1, replicas: f.replicas, sensors: 10, disk: 256, sync: time.Second,
		sim: edrsim.Config{TimeScale: 20, CheckIn: 10 * time.Second, Seed: seed},
	})
	var (
		l    ledger
		c    = newChaos(w, seed)
		g    errgroup.Group
		rest time.Duration
	)
	supervised, stop := context.WithCancel(t.Context())
	defer stop()
	g.Go(func() error { return c.supervise(supervised) })
	g.Go(func() error {
		defer stop()
		var work errgroup.Group
		work.Go(func() error { return w.feed(t.Context(), &l, seed, f.events, f.every) })
		work.Go(func() error { return c.rage(t.Context(), f.faults, f.gap) })
		if err := work.Wait(); err != nil {
			return err
		}
		begun := time.Now()
		err := w.settle(t.Context(), f.atRest)
		rest = time.Since(begun)
		return err
	})
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	e, err := w.gather(t.Context(), &l)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range e.check() {
		if t.Error(p); i == 5 {
			t.Fatal("and more")
		}
	}
	t.Logf("at rest %v after the last fault:\n%s%s%d events were sent again, because nobody had acknowledged them; %d processes ended by themselves",
		rest.Round(time.Millisecond), c.table(), e.summary(), l.retries, c.gaveUp)
}

//go:build linux && chaos

package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// TestScaleOut is a cluster of three bus nodes and three replicas, of which one
// is killed, stopped or cut off every few seconds under load.
func TestScaleOut(t *testing.T) {
	f := form{
		shape:  shape{nodes: 3, replicas: 3, sensors: 10, sync: time.Second, second: edrsim.KindEDR, sim: edrsim.Config{TimeScale: 20, CheckIn: 10 * time.Second}},
		worlds: 1, faults: 40, round: 20, gap: 3 * time.Second, every: 150 * time.Millisecond, atRest: 2 * time.Minute, limit: 10 * time.Minute,
	}
	f.run(t, (*chaos).member)
}

// member draws a fault that takes a node or a replica out as a whole.
func (c *chaos) member() fault {
	between := func(a, b time.Duration) time.Duration { return a + time.Duration(c.rand.Int64N(int64(b-a))) }
	node, i := c.nodes[c.rand.IntN(len(c.nodes))], c.rand.IntN(len(c.replicas))
	switch c.rand.IntN(6) {
	case 0:
		f := killed(node, between(100*time.Millisecond, 2*time.Second))
		f.also = "the quorum" // of three nodes one may be away at a time
		return f
	case 1:
		f := stopped(node, between(time.Second, 3*time.Second))
		f.also = "the quorum"
		return f
	case 2:
		return killed(c.replicas[i], between(100*time.Millisecond, 8*time.Second))
	case 3:
		return stopped(c.replicas[i], between(time.Second, 8*time.Second))
	case 4:
		return cut(c.edrLinks[i*len(c.servers)+c.rand.IntN(len(c.servers))], between(time.Second, 8*time.Second))
	default:
		return cut(c.busLinks[i*len(c.nodes)], between(time.Second, 8*time.Second))
	}
}

// TestTakeOver measures how long the claims of a killed replica stand before the
// others have them all.
func TestTakeOver(t *testing.T) {
	w := newWorld(t, shape{nodes: 1, replicas: 3, sensors: 10, sync: time.Second, direct: true, sim: edrsim.Config{TimeScale: 20, CheckIn: 10 * time.Second}})
	ctx, cancel := context.WithCancel(t.Context())
	var l ledger
	var g errgroup.Group
	defer func() { cancel(); w.must(g.Wait()) }()
	g.Go(func() error { return w.feed(ctx, &l, rand.New(rand.NewPCG(theSeed(t), 1)), 30*time.Millisecond) })
	owners := make([]string, len(w.replicas))
	for i := range owners {
		name, err := os.ReadFile(filepath.Join(w.dir, fmt.Sprintf("data%d", i), "replica"))
		w.must(err)
		owners[i] = strings.TrimSpace(string(name))
	}
	claims := func(i int) (n int) {
		now, err := w.slotTable(t.Context(), w.servers[0])
		w.must(err)
		for _, c := range now.Claims {
			if c.Owner == owners[i] {
				n++
			}
		}
		return n
	}
	for range number(t, "KILLS", 3) {
		victim := 0
		eventually(t, time.Minute, func() bool { victim = (victim + 1) % len(owners); return claims(victim) > 0 })
		w.replicas[victim].Kill()
		killed, held := time.Now(), claims(victim)
		eventually(t, time.Minute, func() bool { return claims(victim) == 0 })
		took := time.Since(killed)
		t.Logf("a killed replica with %d claims is taken over after %v (take_over: 5s)", held, took.Round(10*time.Millisecond))
		if took > 15*time.Second {
			t.Errorf("taken over after %v, want 15s at most", took)
		}
		w.must(w.replicas[victim].Start())
		w.must(w.replicas[victim].Up(time.Minute))
	}
}

// eventually asks until it is so.
func eventually(t testing.TB, within time.Duration, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(within); !so(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v", within)
		}
	}
}

// publish puts lines on the bus, as fast as it goes.
func (w *world) publish(ctx context.Context, lines [][]byte) error {
	return w.publishTimed(ctx, lines, 0, nil)
}

// publishTimed puts lines on the bus, so many a second, without waiting for each
// acknowledgement, and notes when those for evil.exe left, by sensor.
func (w *world) publishTimed(ctx context.Context, lines [][]byte, rate int, sent func(i int)) error {
	var failed error
	p := jetstream.NewPublisher(jetstream.PublisherConfig{JetStream: w.bus.JetStream(), Log: zerolog.Nop()})
	settle := func(err error) { // by one goroutine, which Close waits for
		if err != nil {
			failed = err
		}
	}
	began := time.Now()
	for i, line := range lines {
		if rate > 0 && i%100 == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		}
		if sent != nil {
			sent(i)
		}
		m := events.Message{Body: line, ContentType: "application/json", Server: "sim", Settle: settle}
		if err := p.Carry(ctx, m); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	return failed
}

func readAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(r)
	return string(data), err
}

package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// within asks until cond holds.
func within(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func sequence(t testing.TB, m events.Message) (n int) {
	t.Helper()
	if _, err := fmt.Sscanf(string(m.Body), `{"n":%d}`, &n); err != nil {
		t.Error(err)
	}
	return n
}

func numbered(n int) (all []events.Message) {
	for i := range n {
		all = append(all, event(i))
	}
	return all
}

// TestNoLifeMarksWhatWasNotSettled: readers follow each other on one consumer,
// some alone and some sharing it, as before and after an upgrade, and each settles
// in disorder, gives back, and leaves some for ever. The bus never takes for done
// what none of them has settled, and what is not settled comes again.
func TestNoLifeMarksWhatWasNotSettled(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			const n = 120
			b := bustest.Start(t)
			publish(t, b, numbered(n)...) // event i has sequence i+1
			r := rand.New(rand.NewPCG(seed, 7))
			settled := make([]bool, n+1)
			for life := 0; life < 10; life++ {
				liveOnce(t, b, r, settled)
				floor := consumerInfo(t, b).AckFloor.Stream
				for seq := uint64(1); seq <= floor; seq++ {
					if !settled[seq] {
						t.Fatalf("life %d: floor %d, and %d was never settled", life, floor, seq)
					}
				}
			}
			left := 0
			for _, done := range settled[1:] {
				if !done {
					left++
				}
			}
			t.Logf("%d of %d are left for the last one", left, n)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			err := source(b, short).Read(ctx, func(_ context.Context, m events.Message) error {
				m.Settle(nil)
				if i := sequence(t, m) + 1; !settled[i] {
					settled[i] = true
					left--
				}
				if left == 0 {
					cancel()
				}
				return nil
			})
			if err != nil || left > 0 {
				t.Errorf("%d of %d were never settled (%v)", left, n, err)
			}
		})
	}
}

func short(c *jetstream.Config) { c.AckWait, c.RetryMax = 300*time.Millisecond, time.Millisecond }

// liveOnce reads up to 60 messages, or as long as any come. It notes what it
// settles before it does.
func liveOnce(t *testing.T, b *bus.Bus, r *rand.Rand, settled []bool) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	alone, most := r.IntN(3) > 0, 1+r.IntN(60)
	var kept []events.Message
	flush := func() {
		r.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		for _, m := range kept {
			settled[sequence(t, m)+1] = true
			m.Settle(nil)
		}
		kept = nil
	}
	count := 0
	err := source(b, func(c *jetstream.Config) { short(c); c.Alone = alone }).Read(ctx, func(_ context.Context, m events.Message) error {
		if count++; count == most {
			cancel()
		}
		switch x := r.IntN(20); {
		case x < 12:
			kept = append(kept, m)
		case x < 14:
			m.Settle(errors.New("not now"))
		case x < 15: // left for ever
		default:
			settled[sequence(t, m)+1] = true
			m.Settle(nil)
		}
		if len(kept) > 8 {
			flush()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStuckMessageDoesNotHoldUpTheMark: one that cannot be settled makes the
// reader acknowledge one by one, as when it shares the consumer.
func TestStuckMessageDoesNotHoldUpTheMark(t *testing.T) {
	b := bustest.Start(t)
	const n = 300
	publish(t, b, numbered(n)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	seen, mended := map[int]bool{}, false
	var reading sync.WaitGroup
	reading.Go(func() {
		way := func(c *jetstream.Config) {
			c.Alone, c.MaxPending, c.RetryMax = true, 100, 10*time.Millisecond
		}
		err := source(b, way).Read(ctx, func(_ context.Context, m events.Message) error {
			mu.Lock()
			defer mu.Unlock()
			i := sequence(t, m)
			seen[i] = true
			if i == 0 && !mended {
				m.Settle(errors.New("not now"))
				return nil
			}
			m.Settle(nil)
			if i == 0 {
				cancel()
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	within(t, "a consumer", func() bool { return len(consumers(t, b)) > 0 })
	within(t, "one message alone is unacknowledged", func() bool {
		info := consumerInfo(t, b)
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == n && info.NumPending == 0 && info.NumAckPending == 1
	})
	mu.Lock()
	mended = true
	mu.Unlock()
	reading.Wait()
	if info := consumerInfo(t, b); info.AckFloor.Stream != n {
		t.Errorf("acknowledged up to %d, want %d", info.AckFloor.Stream, n)
	}
}

// TestAloneNoMore: another process comes and reads by the same consumer.
func TestAloneNoMore(t *testing.T) {
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	seen := map[int]bool{}
	var reading sync.WaitGroup
	read := func(alone bool) {
		reading.Go(func() {
			err := source(b, func(c *jetstream.Config) { c.Alone = alone }).Read(ctx, func(_ context.Context, m events.Message) error {
				mu.Lock()
				seen[sequence(t, m)] = true
				mu.Unlock()
				m.Settle(nil)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all := numbered(2000)
	publish(t, b, all[:1000]...)
	read(true)
	within(t, "a consumer of its own", func() bool { return len(consumers(t, b)) == 2 })
	read(false)
	publish(t, b, all[1000:]...)
	within(t, "they share the one", func() bool { return len(consumers(t, b)) == 1 })
	within(t, "all is settled", func() bool {
		info := consumerInfo(t, b)
		return info.NumPending == 0 && info.NumAckPending == 0
	})
	cancel()
	reading.Wait()
	if len(seen) != len(all) {
		t.Errorf("%d different events, want %d", len(seen), len(all))
	}
}

// TestAloneWhenItsConsumerGoes: nothing is missed by a reader whose consumer the
// bus has dropped.
func TestAloneWhenItsConsumerGoes(t *testing.T) {
	b := bustest.Start(t)
	all := numbered(1000)
	publish(t, b, all[:500]...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := map[int]bool{}
	err := source(b, func(c *jetstream.Config) { c.Alone = true }).Read(ctx, func(_ context.Context, m events.Message) error {
		m.Settle(nil)
		i := sequence(t, m)
		if seen[i] = true; i == 250 && len(seen) == 251 {
			for _, c := range consumers(t, b) {
				if c.Config.Durable == "" {
					if err := b.JetStream().DeleteConsumer(ctx, bus.StreamEvents, c.Name); err != nil {
						t.Error(err)
					}
				}
			}
			publish(t, b, all[500:]...)
		}
		if len(seen) == len(all) {
			cancel()
		}
		return nil
	})
	if err != nil || len(seen) != len(all) {
		t.Errorf("%d of %d events (%v)", len(seen), len(all), err)
	}
}

func consumers(t *testing.T, b *bus.Bus) (all []*natsjs.ConsumerInfo) {
	t.Helper()
	s, err := b.JetStream().Stream(t.Context(), bus.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	list := s.ListConsumers(t.Context())
	for c := range list.Info() {
		all = append(all, c)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAboveIsWhatIsNotAcknowledged: the bus takes for unread what a reader alone has
// read above a message that is not settled.
func TestAboveIsWhatIsNotAcknowledged(t *testing.T) {
	b := bustest.Start(t)
	publish(t, b, numbered(10)...)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s := source(b, func(c *jetstream.Config) { c.Alone = true })
	var first events.Message
	err := s.Read(ctx, func(_ context.Context, m events.Message) error {
		switch i := sequence(t, m); i {
		case 0:
			first = m
		case 9:
			if settled, unsettled := s.Above(); settled != 8 || unsettled != 2 {
				t.Errorf("%d settled and %d unsettled above the floor, want 8, 2", settled, unsettled)
			}
			m.Settle(nil)
			first.Settle(nil)
			if settled, unsettled := s.Above(); settled != 0 || unsettled != 0 {
				t.Errorf("%d settled and %d unsettled above the floor, want none", settled, unsettled)
			}
			cancel()
		default:
			m.Settle(nil)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := consumerInfo(t, b).AckFloor.Stream; got != 10 {
		t.Errorf("the mark is %d, want 10", got)
	}
}

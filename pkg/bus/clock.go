package bus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"edrpipe/internal/pace"
)

// Clock is the bus's clock. Replicas compare times that others have written: when a
// budget is free again, whether a job has expired, which job of an endpoint is older.
// With their own clocks they would disagree, and change their minds whenever a clock is
// set. Between two readings the bus's time advances by our monotonic clock, which
// cannot be set.
//
// So the machine's clock has no influence, only the clocks of the bus: any node of a
// cluster may become the one that provides the time.
type Clock struct {
	bus  *Bus
	last atomic.Pointer[reading]
}

// reading is what the bus's time was at some moment.
type reading struct {
	here  time.Time     // of that moment by our own clock: its monotonic part counts
	there time.Time     // by the bus's, without a monotonic part
	off   time.Duration // how far there may be off: half of what asking took
}

// at is the bus's time at another moment of our own clock.
func (r reading) at(here time.Time) time.Time { return r.there.Add(here.Sub(r.here)) }

// NewClock returns the bus's clock, which is our own until Ask has returned nil.
func NewClock(b *Bus) *Clock { return &Clock{bus: b} }

// Now is the time.
func (c *Clock) Now() time.Time {
	if r := c.last.Load(); r != nil {
		return r.at(time.Now())
	}
	return time.Now()
}

// Known reports whether the bus's time has been read, and how far the clock of this
// machine is ahead of it.
func (c *Clock) Known() (known bool, apart time.Duration) {
	r := c.last.Load()
	if r == nil {
		return false, 0
	}
	now := time.Now()
	return true, now.Round(0).Sub(r.at(now))
}

// Times of asking: the sooner again, the less is known.
const (
	askEvery  = 10 * time.Second
	askSooner = time.Second
	goodTime  = 50 * time.Millisecond
)

// Follow reads the bus's time periodically until ctx ends.
func (c *Clock) Follow(ctx context.Context) {
	for {
		wait := askEvery
		if r := c.last.Load(); r == nil || r.off > goodTime {
			wait = askSooner
		}
		if pace.Sleep(ctx, wait) != nil {
			return
		}
		if err := c.Ask(ctx); err != nil && ctx.Err() == nil {
			c.bus.log.Debug().Err(err).Msg("the time goes on without the bus")
		}
	}
}

// Ask reads the bus's time, through a stream that is the same for all replicas.
func (c *Clock) Ask(ctx context.Context) error {
	begun := time.Now()
	s, err := c.bus.js.Stream(ctx, "KV_"+BucketControl)
	if err != nil {
		return fmt.Errorf("ask the bus for its time: %w", err)
	}
	off := time.Since(begun) / 2
	c.take(reading{here: time.Now(), there: s.CachedInfo().TimeStamp.Add(off), off: off})
	return nil
}

// drift is what clocks may be apart after so long: quartz is better than this.
func drift(after time.Duration) time.Duration { return after / 10_000 }

// take keeps the better of two readings. A reading that contradicts the present one
// replaces it: the bus's clock was set, or another node provides the time now.
func (c *Clock) take(next reading) {
	if old := c.last.Load(); old != nil {
		known := old.off + drift(next.here.Sub(old.here))
		if apart := next.there.Sub(old.at(next.here)).Abs(); next.off > known && apart <= next.off+known {
			return
		}
	}
	c.last.Store(&next)
}

package edrsim

import (
	"context"
	"sync/atomic"
	"time"
)

// A clock is simulated time: real time since the start, multiplied, plus the
// jumps that tests make.
type clock struct {
	real  time.Time
	sim   time.Time
	scale float64
	ahead atomic.Int64 // nanoseconds jumped
}

func newClock(start time.Time, scale float64) *clock {
	return &clock{real: time.Now(), sim: start, scale: scale}
}

func (c *clock) now() time.Time {
	passed := time.Duration(float64(time.Since(c.real)) * c.scale)
	return c.sim.Add(passed + time.Duration(c.ahead.Load()))
}

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// waitUntil blocks until the simulated time at, or until changed or ctx is done,
// whichever is first. It never waits less than a moment, so that rounding cannot
// make a caller spin.
func (c *clock) waitUntil(ctx context.Context, at time.Time, changed <-chan struct{}) {
	d := time.Duration(float64(at.Sub(c.now())) / c.scale)
	t := time.NewTimer(max(d, 50*time.Microsecond))
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-ctx.Done():
	}
}

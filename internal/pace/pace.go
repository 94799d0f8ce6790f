// Package pace waits: for a time, with a context, and longer from failure to failure.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits for d and returns nil, or the cause of ctx's end.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Backoff is first doubled n times, at most longest, with jitter of a quarter
// either way so that replicas do not come back together.
func Backoff(first time.Duration, n int, longest time.Duration) time.Duration {
	d := longest
	if n < 20 && first<<n < longest {
		d = first << n
	}
	return d*3/4 + rand.N(d/2+1)
}

package cbc

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"edrpipe/internal/pace"
)

// Defaults of a Limiter. The product's documentation gives 1,000 requests in five
// minutes as its example of a limit.
const (
	DefaultRate  = 2  // requests a second
	DefaultBurst = 20 // requests
)

// A Limiter is the token bucket of one host. Its users are all clients of the host:
// of every organisation, with jobs and alert pollers alike. It is safe for concurrent
// use.
type Limiter struct {
	bucket *rate.Limiter

	mu    sync.Mutex
	until time.Time // no request is sent before it; zero: no pause
}

// NewLimiter returns a Limiter of perSecond requests a second and burst requests at
// once; 0 means DefaultRate and DefaultBurst. Replicas behind one address divide the
// rate among themselves.
func NewLimiter(perSecond float64, burst int) *Limiter {
	if perSecond == 0 {
		perSecond = DefaultRate
	}
	if burst == 0 {
		burst = DefaultBurst
	}
	return &Limiter{bucket: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// Wait blocks until a request may be sent, or the context ends.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		if d := time.Until(l.PausedUntil()); d > 0 {
			if err := pace.Sleep(ctx, d); err != nil {
				return err
			}
			continue
		}
		r := l.bucket.Reserve()
		if d := r.Delay(); d > 0 {
			if err := pace.Sleep(ctx, d); err != nil {
				r.Cancel()
				return err
			}
		}
		if !time.Now().Before(l.PausedUntil()) {
			return nil
		}
	}
}

// Pause stops all requests until a time. A shorter pause does not end a longer one.
func (l *Limiter) Pause(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.until) {
		l.until = until
	}
}

// PausedUntil is when requests may be sent again; a time in the past where they may
// be sent now.
func (l *Limiter) PausedUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

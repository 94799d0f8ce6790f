package cbc

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"edrpipe/pkg/edr"
)

// Defaults of a Limiter. The product's documentation gives 1,000 requests in five
// minutes as its example of a limit.
const (
	DefaultRate  = 2  // requests a second
	DefaultBurst = 20 // requests
)

// urgency is the order in which requests of a host are sent while tokens are scarce.
type urgency int

const (
	// ongoing requests serve what has begun: commands, their results, files, alerts.
	ongoing urgency = iota
	// urgent requests are few and contain something or free something: quarantine,
	// the end of a session or command, the check of whether the server works.
	urgent
	// opening requests begin work that can wait: new sessions, and looks at pending ones.
	opening

	urgencies
)

// precedence is the order of the classes.
var precedence = [urgencies]urgency{urgent, ongoing, opening}

// fair is which of so many tokens is for the request that has waited longest, of
// whatever class, so that none waits for ever.
const fair = 8

// A Limiter is the token bucket of one host. Its users are all clients of the host:
// of every organisation, with jobs and alert pollers alike. What has begun goes before
// what could begin: sessions are opened as fast as the rate can serve them. It is safe
// for concurrent use.
type Limiter struct {
	bucket *rate.Limiter

	mu      sync.Mutex
	until   time.Time // no request is sent before it; zero: no pause
	waiting [urgencies][]*waiter
	arrived uint64 // waiters so far
	granted uint64 // tokens so far
	timer   *time.Timer
}

// waiter is a request that waits for its token.
type waiter struct {
	number uint64        // in the order of arrival
	ready  chan struct{} // closed when the request may be sent
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

// Wait blocks until a request may be sent, or the context ends. It fails at once where
// the context ends before a pause of the host does: edr.ErrThrottled.
func (l *Limiter) Wait(ctx context.Context) error { return l.wait(ctx, ongoing) }

// wait is Wait for a request of a class.
func (l *Limiter) wait(ctx context.Context, u urgency) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	w := &waiter{ready: make(chan struct{})}
	l.mu.Lock()
	if end, bounded := ctx.Deadline(); bounded && end.Before(l.until) {
		defer l.mu.Unlock()
		return throttled(l.until)
	}
	l.arrived++
	w.number = l.arrived
	l.waiting[u] = append(l.waiting[u], w)
	l.grant()
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-w.ready: // at the same moment: the request fails by its context
	default:
		l.waiting[u] = slices.DeleteFunc(l.waiting[u], func(other *waiter) bool { return other == w })
	}
	return context.Cause(ctx)
}

// grant gives out the tokens that there are, and sets the timer for the next one where
// requests still wait. l.mu is held.
func (l *Limiter) grant() {
	for {
		now := time.Now()
		u := l.next()
		if u == urgencies {
			return
		}
		pause := l.until.Sub(now)
		if pause <= 0 {
			r := l.bucket.ReserveN(now, 1)
			if pause = r.DelayFrom(now); pause > 0 {
				r.CancelAt(now)
			}
		}
		if pause > 0 {
			l.again(pause)
			return
		}
		w := l.waiting[u][0]
		l.waiting[u] = slices.Delete(l.waiting[u], 0, 1)
		l.granted++
		close(w.ready)
	}
}

// next is the class of the request whose turn it is; urgencies: none waits.
func (l *Limiter) next() urgency {
	first := urgencies
	for _, u := range precedence {
		switch {
		case len(l.waiting[u]) == 0:
		case first == urgencies, (l.granted+1)%fair == 0 && l.waiting[u][0].number < l.waiting[first][0].number:
			first = u
		}
	}
	return first
}

// again has tokens given out after a pause.
func (l *Limiter) again(pause time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(pause, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.grant()
	})
}

// throttled is the error of requests that the host does not take before a time.
func throttled(until time.Time) error {
	return fmt.Errorf("%w: no request is sent before %s", edr.ErrThrottled, until.UTC().Format(time.RFC3339))
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

package cbc

import (
	"context"
	"net/http"
	"strings"
	"time"

	"edrpipe/pkg/edr"
)

// probeFresh is how long an answer shows that the server works: each probe counts
// towards the host's rate.
const probeFresh = 15 * time.Second

// Probe reports whether Live Response of the organisation answers. It sends a request
// only where no other one has just been answered. While the host takes no requests for
// their rate it is edr.ErrThrottled.
func (c *Client) Probe(ctx context.Context) error {
	if until := c.cfg.Limiter.PausedUntil(); time.Now().Before(until) {
		return throttled(until)
	}
	c.mu.Lock()
	fresh := time.Since(c.worked) < probeFresh
	c.mu.Unlock()
	if fresh {
		return nil
	}
	_, err := c.liveSessions(ctx, edr.Where{}, urgent)
	return err
}

// noteAnswer remembers whether Live Response works, from the outcome of a request to it.
func (c *Client) noteAnswer(r call, f *failure) {
	if !strings.HasPrefix(r.path, c.sessions()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case f == nil:
		c.worked = time.Now()
	case f.err.Status == 0, f.err.Status >= http.StatusInternalServerError, f.err.Status == http.StatusUnauthorized, f.err.Status == http.StatusForbidden:
		c.worked = time.Time{} // a probe finds out
	}
}

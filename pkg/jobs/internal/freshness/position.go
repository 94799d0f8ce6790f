// Package freshness says how far a replica has seen the job records, and notices a
// watch that stands still without an error.
package freshness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrStalled means that a watch of the job records does not advance.
var ErrStalled = errors.New("the watch of the job records has fallen behind")

// Patience is how long a watch may show nothing while there is something to be
// seen. Then it is taken for dead, and a new one begun.
const Patience = 10 * time.Second

// Position is the revision up to which a watch has shown every change. Other
// replicas write records, too, and a watch may fall behind or stand still without
// an error while every other request works. The zero value is ready.
type Position struct {
	mu       sync.Mutex
	revision uint64        // every change up to here has been seen
	alive    time.Time     // when the watch last showed something, or began
	moved    chan struct{} // closed when one of these changes
	end      func()        // ends the watch, for another to begin
}

// Begin notes that a watch begins; end ends it.
func (p *Position) Begin(end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision, p.end = 0, end
	p.live()
}

// Advance notes that a change was seen.
func (p *Position) Advance(revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision = max(p.revision, revision)
	p.live()
}

// live notes a sign of life; p.mu is held.
func (p *Position) live() {
	p.alive = time.Now()
	if p.moved != nil {
		close(p.moved)
		p.moved = nil
	}
}

// Seen is the revision up to which every change has been seen.
func (p *Position) Seen() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

// Wait blocks until everything up to the revision has been seen. A watch that
// shows nothing for too long is ended, and ErrStalled returned.
func (p *Position) Wait(ctx context.Context, revision uint64) error {
	since := time.Now()
	for {
		p.mu.Lock()
		if p.revision >= revision {
			p.mu.Unlock()
			return nil
		}
		left := Patience - min(time.Since(p.alive), time.Since(since))
		if left <= 0 {
			if p.end != nil {
				p.end()
			}
			defer p.mu.Unlock()
			return fmt.Errorf("at revision %d, the store has %d: %w", p.revision, revision, ErrStalled)
		}
		if p.moved == nil {
			p.moved = make(chan struct{})
		}
		moved := p.moved
		p.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-moved:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

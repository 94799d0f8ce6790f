package jobs

import (
	"sync"
	"time"
)

// reviews is the line of jobs whose record the reconciler looks at next, each once, and
// of those that it looks at later.
type reviews struct {
	wake chan struct{}

	mu      sync.Mutex
	line    []string
	waiting map[string]bool      // in line
	delayed map[string]time.Time // to be put in line then
}

func newReviews() *reviews {
	return &reviews{wake: make(chan struct{}, reconcilers), waiting: map[string]bool{}, delayed: map[string]time.Time{}}
}

// add has jobs reviewed.
func (r *reviews) add(ids ...string) {
	if len(ids) == 0 {
		return
	}
	r.mu.Lock()
	for _, id := range ids {
		if !r.waiting[id] {
			r.waiting[id] = true
			r.line = append(r.line, id)
		}
	}
	r.mu.Unlock()
	signal(r.wake)
}

// later has a job reviewed after a while, unless it is forgotten by then.
func (r *reviews) later(id string, d time.Duration) {
	r.mu.Lock()
	r.delayed[id] = time.Now().Add(d)
	r.mu.Unlock()
}

// forget drops a delayed review.
func (r *reviews) forget(id string) {
	r.mu.Lock()
	delete(r.delayed, id)
	r.mu.Unlock()
}

func (r *reviews) take() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.line) == 0 {
		return "", false
	}
	id := r.line[0]
	r.line = r.line[1:]
	delete(r.waiting, id)
	if len(r.line) > 0 {
		signal(r.wake)
	}
	return id, true
}

func (r *reviews) due() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for id, at := range r.delayed {
		if !at.After(now) {
			delete(r.delayed, id)
			ids = append(ids, id)
		}
	}
	return ids
}

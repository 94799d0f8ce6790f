package jobs

import "sync"

// telling keeps the reports of a job in the order of the transitions, independently of
// the goroutines that make them. Each report takes its turn before its transition is
// visible to others.
type sequencer struct {
	mu   sync.Mutex
	last map[string]turn // of each job that has one
}

// turn is a report's place among those of its job.
type turn struct {
	of     *sequencer
	id     string
	before <-chan struct{} // closed when all reports before have been made; nil: there are none
	made   chan struct{}   // closed when this one has
}

// turns takes the next turns of jobs, all at one moment.
func (t *sequencer) turns(ids ...string) []turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		t.last = map[string]turn{}
	}
	taken := make([]turn, len(ids))
	for i, id := range ids {
		taken[i] = turn{of: t, id: id, before: t.last[id].made, made: make(chan struct{})}
		t.last[id] = taken[i]
	}
	return taken
}

// tell calls report after all earlier reports. Every turn has to be used once, or the
// job's later reports block for ever.
func (u turn) tell(report func()) {
	if u.before != nil {
		<-u.before
	}
	report()
	close(u.made)
	u.of.mu.Lock()
	defer u.of.mu.Unlock()
	if u.of.last[u.id].made == u.made {
		delete(u.of.last, u.id)
	}
}

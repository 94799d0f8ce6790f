package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errBlind means that the watch of the job records does not get anywhere.
var errBlind = errors.New("the watch of the job records has fallen behind")

const (
	// sightPatience is how long a watch may show nothing while there is something to
	// be seen. Then it is taken for dead, and a new one begun.
	sightPatience = 10 * time.Second
	// lookoutEvery is the time between looks whether the watch keeps up though
	// nobody needs it.
	lookoutEvery = 15 * time.Second
)

// sight is how far this replica has seen the job records. Others write them, too,
// and a watch may fall behind or stand still without an error while every other
// request works: a job is started only when all that was recorded before it has
// been seen, or its sensor's order would be lost.
type sight struct {
	mu       sync.Mutex
	position uint64        // every change up to here has been seen
	alive    time.Time     // when the watch last showed something, or began
	moved    chan struct{} // closed when one of these changes
	end      func()        // ends the watch, for another to begin
}

// begin notes that a watch begins.
func (g *sight) begin(end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.position, g.end = 0, end
	g.live()
}

// advance notes that a change was seen.
func (g *sight) advance(revision uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.position = max(g.position, revision)
	g.live()
}

// live notes a sign of life; g.mu is held.
func (g *sight) live() {
	g.alive = time.Now()
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
}

func (g *sight) seen() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.position
}

// wait returns when everything up to the revision has been seen. A watch that
// shows nothing for too long is ended, and errBlind returned.
func (g *sight) wait(ctx context.Context, revision uint64) error {
	since := time.Now()
	for {
		g.mu.Lock()
		if g.position >= revision {
			g.mu.Unlock()
			return nil
		}
		left := sightPatience - min(time.Since(g.alive), time.Since(since))
		if left <= 0 {
			if g.end != nil {
				g.end()
			}
			defer g.mu.Unlock()
			return fmt.Errorf("at revision %d, %d is there: %w", g.position, revision, errBlind)
		}
		if g.moved == nil {
			g.moved = make(chan struct{})
		}
		moved := g.moved
		g.mu.Unlock()
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

// catchUp returns when everything recorded before the call has been seen.
func (s *Scheduler) catchUp(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, sightPatience)
	defer cancel()
	needed, err := s.cfg.Store.Barrier(asking, s.sight.seen)
	if err != nil {
		return err
	}
	return s.sight.wait(ctx, needed)
}

// lookout has a watch that stands still noticed, also where no visit needs it.
func (s *Scheduler) lookout(ctx context.Context) {
	for sleep(ctx, lookoutEvery) == nil {
		if err := s.catchUp(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("looking whether all job records are seen")
		}
	}
}

// follow keeps the queue in step with a store.
func (s *Scheduler) follow(ctx context.Context, store Store) error {
	const longest = 5 * time.Second
	for wait := longest / 16; ; wait = min(2*wait, longest) {
		began := time.Now()
		err := s.watch(ctx, store)
		if ctx.Err() != nil || errors.Is(err, ErrDamaged) {
			return err
		}
		s.log.Error().Err(err).Msg("watching the job records; trying again")
		if time.Since(began) > 2*longest {
			wait = longest / 16
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// watch watches a store until that fails.
func (s *Scheduler) watch(ctx context.Context, store Store) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if store == s.cfg.Store {
		s.sight.begin(func() { end(errBlind) })
		defer s.lostSight()
	}
	return store.Watch(ctx, func(c Change) { s.see(store, c) })
}

// lostSight keeps new visits from being started until every live job is known
// again: others may have put jobs before those that we know, and ended some.
func (s *Scheduler) lostSight() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = false
	s.unseen = map[string]bool{}
	for id, e := range s.queue.jobs {
		if e.function == nil {
			s.unseen[id] = true
		}
	}
}

// see takes a change of a record into the queue.
func (s *Scheduler) see(store Store, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Synced, c.ID == "":
	case c.Job == nil:
		s.gone(c.ID)
	case c.Job.Server == s.cfg.Server.Name():
		s.note(c.Job)
	}
	if store == s.cfg.Store {
		s.seenTo(c)
	}
	s.poke()
}

// seenTo notes how far the durable records are seen; s.mu is held.
func (s *Scheduler) seenTo(c Change) {
	delete(s.unseen, c.ID)
	s.sight.advance(c.Revision)
	if c.Synced && !s.ready {
		s.ready = true
		s.first.Do(func() { close(s.synced) })
	}
	if s.ready && len(s.unseen) > 0 {
		s.dropUnseen()
	}
}

// dropUnseen forgets jobs that left the live ones while nobody watched: those of
// which the watch has shown neither what we know nor anything later. s.mu is held.
func (s *Scheduler) dropUnseen() {
	seen := s.sight.seen()
	for id := range s.unseen {
		e := s.queue.jobs[id]
		if e == nil || e.revision <= seen {
			delete(s.unseen, id)
			s.gone(id)
		}
	}
}

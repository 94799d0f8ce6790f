package jobs

import (
	"context"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/internal/freshness"
	"edrpipe/pkg/jobs/internal/run"
)

// lookoutEvery is the time between checks whether the watch keeps up though no
// visit needs it.
const lookoutEvery = 15 * time.Second

// catchUp returns when everything recorded before the call has been seen.
func (s *Scheduler) catchUp(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, freshness.Patience)
	defer cancel()
	needed, err := s.cfg.Store.Barrier(asking, s.seen.Seen)
	if err != nil {
		return err
	}
	return s.seen.Wait(ctx, needed)
}

// lookout has a watch that stands still noticed, also where no visit needs it.
func (s *Scheduler) lookout(ctx context.Context) {
	for pace.Sleep(ctx, lookoutEvery) == nil {
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
		if ctx.Err() != nil {
			return err
		}
		s.log.Error().Err(err).Msg("watching the job records; trying again")
		if time.Since(began) > 2*longest {
			wait = longest / 16
		}
		if err := pace.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// watch watches a store until that fails.
func (s *Scheduler) watch(ctx context.Context, store Store) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if store == s.cfg.Store {
		s.seen.Begin(func() { end(freshness.ErrStalled) })
		defer s.lostSight()
	}
	return store.Watch(ctx, func(c Change) { s.see(store, c) })
}

// lostSight blocks new visits until every live job is known again: other replicas may
// have added jobs before the known ones, and ended some.
func (s *Scheduler) lostSight() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = false
	s.unseen = map[string]bool{}
	for e := range s.queue.Jobs() {
		if !e.Volatile {
			s.unseen[e.ID] = true
		}
	}
}

// see takes a change of a record into the queue.
func (s *Scheduler) see(store Store, c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Synced, c.ID == "":
	case c.Foreign != nil:
		s.hold(c.ID)
	case c.Job == nil:
		s.gone(c.ID)
	case c.Job.Endpoint.Server == s.cfg.Server.Name():
		s.note(c.Job)
	}
	if store == s.cfg.Store {
		s.seenTo(c)
	}
	s.poke()
}

// hold keeps a job whose record does not verify from running; others go on. s.mu is held.
func (s *Scheduler) hold(id string) {
	if e := s.queue.Job(id); e != nil {
		if v := s.visits[e.Sensor.Endpoint]; v != nil && v.runs(id) {
			v.cancel(run.ErrFenced)
		}
	}
	s.queue.Remove(id, s.cfg.Now())
	delete(s.ending, id)
	s.reconciler.forget(id)
}

// seenTo notes how far the durable records are seen; s.mu is held.
func (s *Scheduler) seenTo(c Change) {
	delete(s.unseen, c.ID)
	s.seen.Advance(c.Revision)
	if c.Synced && !s.ready {
		s.ready = true
		s.first.Do(func() { close(s.synced) })
	}
	if s.ready && len(s.unseen) > 0 {
		s.dropUnseen()
	}
}

// dropUnseen removes jobs that left the live ones while the watch was interrupted: those
// whose known or later revision the watch has not shown. s.mu is held.
func (s *Scheduler) dropUnseen() {
	seen := s.seen.Seen()
	for id := range s.unseen {
		e := s.queue.Job(id)
		if e == nil || e.Revision <= seen {
			delete(s.unseen, id)
			s.gone(id)
		}
	}
}

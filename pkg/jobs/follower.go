package jobs

import (
	"context"
	"sync"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/internal/freshness"
)

// lookoutEvery is the time between checks whether the watch keeps up though no
// visit needs it.
const lookoutEvery = 15 * time.Second

// A follower keeps the board in step with the stores.
type follower struct {
	*board
	seen   freshness.Position // how far the records have been seen
	synced chan struct{}      // closed when every live job is known for the first time
	first  sync.Once
}

// catchUp returns when everything recorded before the call has been seen.
func (f *follower) catchUp(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, freshness.Patience)
	defer cancel()
	needed, err := f.cfg.Store.Barrier(asking, f.seen.Seen)
	if err != nil {
		return err
	}
	return f.seen.Wait(ctx, needed)
}

// lookout has a watch that stands still noticed, also where no visit needs it.
func (f *follower) lookout(ctx context.Context) {
	for pace.Sleep(ctx, lookoutEvery) == nil {
		if err := f.catchUp(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn().Err(err).Msg("looking whether all job records are seen")
		}
	}
}

// follow keeps the queue in step with a store.
func (f *follower) follow(ctx context.Context, store Store) error {
	const longest = 5 * time.Second
	for wait := longest / 16; ; wait = min(2*wait, longest) {
		began := time.Now()
		err := f.watch(ctx, store)
		if ctx.Err() != nil {
			return err
		}
		f.log.Error().Err(err).Msg("watching the job records; trying again")
		if time.Since(began) > 2*longest {
			wait = longest / 16
		}
		if err := pace.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// watch watches a store until that fails.
func (f *follower) watch(ctx context.Context, store Store) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if store == f.cfg.Store {
		f.seen.Begin(func() { end(freshness.ErrStalled) })
		defer f.lostSight()
	}
	return store.Watch(ctx, func(c Change) { f.see(store, c) })
}

// lostSight blocks new visits until every live job is known again: other replicas may
// have added jobs before the known ones, and ended some.
func (f *follower) lostSight() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ready = false
	f.unseen = map[string]bool{}
	for e := range f.queue.Jobs() {
		if !e.Volatile {
			f.unseen[e.ID] = true
		}
	}
}

// see takes a change of a record into the queue.
func (f *follower) see(store Store, c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case c.Synced, c.ID == "":
	case c.Foreign != nil:
		f.hold(c.ID)
	case c.Job == nil:
		f.gone(c.ID)
	case c.Job.Endpoint.Server == f.cfg.Server.Name():
		f.note(c.Job)
	}
	if store == f.cfg.Store {
		f.seenTo(c)
	}
	f.poke()
}

// seenTo notes how far the durable records are seen; f.mu is held.
func (f *follower) seenTo(c Change) {
	delete(f.unseen, c.ID)
	f.seen.Advance(c.Revision)
	if c.Synced && !f.ready {
		f.ready = true
		f.first.Do(func() { close(f.synced) })
	}
	if f.ready && len(f.unseen) > 0 {
		f.dropUnseen()
	}
}

// dropUnseen removes jobs that left the live ones while the watch was interrupted: those
// whose known or later revision the watch has not shown. f.mu is held.
func (f *follower) dropUnseen() {
	seen := f.seen.Seen()
	for id := range f.unseen {
		e := f.queue.Job(id)
		if e == nil || e.Revision <= seen {
			delete(f.unseen, id)
			f.gone(id)
		}
	}
}

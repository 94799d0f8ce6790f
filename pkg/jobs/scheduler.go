package jobs

import (
	"context"
	"errors"
	"sync"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/freshness"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
)

// A Scheduler runs jobs on the sensors of one EDR server. Make one with New, let
// Run work, and give it jobs with Enqueue and Submit, also before Run.
type Scheduler struct {
	cfg          Config
	log          zerolog.Logger
	claims       *claims
	seen         freshness.Position // how far the records have been seen
	backpressure backpressure
	reconciler   *reconciler
	sequencer    sequencer
	runs         run.Config
	volatile     *Memory // records of jobs that are functions

	wake     chan struct{} // something changed: look again; holds one
	unread   chan struct{} // a sensor has never been read; holds one
	synced   chan struct{} // closed when every live job is known for the first time
	first    sync.Once
	finished chan struct{} // closed when Run is over

	mu        sync.Mutex // guards what follows
	queue     *order.Queue
	visits    map[edr.Endpoint]*visit
	sessions  int                     // slots given to visits that are not in the table yet
	given     []*order.Sensor         // that gave their slot up; still busy until others had their choice
	ending    map[string]edr.Endpoint // sensors of jobs that have ended and are not archived yet
	functions map[string]*Handle
	waiters   map[string][]chan struct{}
	unseen    map[string]bool // live jobs that a new watch has not shown yet
	paused    string          // why; "" when it is not
	// unreadable is why sensors could not be read when that was last tried; "" when they
	// could.
	unreadable string
	late       context.Context // set before the first visit; ends with the grace of a shutdown
	stopping   bool
	ready      bool
	running    bool
}

// New makes a Scheduler, which is idle until Run.
func New(cfg Config) (*Scheduler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Scheduler{
		cfg: cfg, log: cfg.Log.With().Str("server", cfg.Server.Name()).Logger(),
		claims:   newClaims(cfg.Table, cfg.Owner, cfg.Beat),
		volatile: new(Memory),
		wake:     make(chan struct{}, 1), unread: make(chan struct{}, 1),
		synced: make(chan struct{}), finished: make(chan struct{}),
		queue: order.New(cfg.Ageing), visits: map[edr.Endpoint]*visit{},
		ending: map[string]edr.Endpoint{}, functions: map[string]*Handle{}, waiters: map[string][]chan struct{}{},
	}
	s.reconciler, s.runs = newReconciler(s), s.runConfig()
	return s, nil
}

// Run works until ctx ends; then it takes no new work, lets running steps end
// within the grace, hands unfinished jobs back, closes its sessions and returns.
// What cannot be ended in time stays recorded and is resolved at the next start.
// It returns nil after such a stop and an error if the store fails.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	again := s.running
	s.running = true
	s.mu.Unlock()
	if again {
		return errors.New("jobs: Run was called twice")
	}
	defer close(s.finished)
	defer s.loseFunctions()

	// What supports the visits outlives ctx until they have ended.
	support, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, support := errgroup.WithContext(support)
	g.Go(func() error { return s.follow(support, s.cfg.Store) })
	g.Go(func() error { return s.follow(support, s.volatile) })
	g.Go(func() error { s.lookout(support); return nil })
	g.Go(func() error { s.beat(support); return nil })
	g.Go(func() error { s.poll(support); return nil })
	g.Go(func() error { s.count(support); return nil })
	g.Go(func() error { s.reconciler.work(support); return nil })
	g.Go(func() error {
		defer stop()
		return s.dispatch(ctx, support)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// note takes a record into the queue; s.mu is held.
func (s *Scheduler) note(j *Job) {
	if j.State.Terminal() {
		s.queue.Remove(j.ID, s.cfg.Now())
		s.ending[j.ID] = j.Endpoint
		// Whoever ended it also reports and archives it. If that does not happen, we do.
		s.reconciler.later(j.ID, s.cfg.Beat*stopAfter)
		if j.Parent != nil {
			s.reconciler.add(j.Parent.Job)
		}
		return
	}
	now := s.cfg.Now()
	sn := s.queue.Sensor(j.Endpoint)
	e := s.queue.NewEntry(j)
	if s.functions[j.ID] != nil {
		e.Session, e.Volatile = true, true
	}
	s.queue.Put(e, now)
	if sn.Read.IsZero() {
		signal(s.unread)
	}
	if v := s.visits[j.Endpoint]; v != nil {
		v.noticed(j)
	} else if j.Cancel != nil || s.desire(e, now) != nil {
		s.reconciler.add(j.ID)
	}
	if j.State == Held && j.Decided(now) {
		s.reconciler.add(j.ID) // whoever took the answer died before acting on it
	}
}

// gone forgets a job that left the live ones; s.mu is held.
func (s *Scheduler) gone(id string) {
	s.queue.Remove(id, s.cfg.Now())
	delete(s.ending, id)
	s.reconciler.forget(id)
	for _, w := range s.waiters[id] {
		close(w)
	}
	delete(s.waiters, id)
}

// poke has the dispatcher look again.
func (s *Scheduler) poke() { signal(s.wake) }

// signal puts a token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// beat renews our claims and stops what we may no longer do.
func (s *Scheduler) beat(ctx context.Context) {
	for {
		attempt, cancel := context.WithTimeout(ctx, s.cfg.Beat)
		err := s.claims.renew(attempt)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("renewing the slot table")
		}
		s.checkClaims()
		if pace.Sleep(ctx, s.cfg.Beat) != nil {
			return
		}
	}
}

// checkClaims ends visits whose claim is lost and finds abandoned claims.
func (s *Scheduler) checkClaims() {
	left := s.claims.leftovers()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, v := range s.visits {
		if v.epoch != 0 && s.claims.valid(id, v.epoch) != nil {
			v.cancel(run.ErrFenced)
		}
	}
	now := s.cfg.Now()
	for _, id := range left {
		if sn := s.queue.Sensor(id); !sn.Busy && !sn.Stale {
			sn.Stale = true
			s.queue.Review(sn, now)
		}
	}
	s.poke() // other replicas may have released sensors and slots
}

package jobs

import (
	"context"
	"errors"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"

	"golang.org/x/sync/errgroup"
)

// A Scheduler runs jobs on the sensors of one EDR server. Make one with New, let
// Run work, and give it jobs with Enqueue and Submit, also before Run.
type Scheduler struct {
	*board
	claims     *claims
	records    *records
	slots      *slots
	poller     *poller
	follower   *follower
	reconciler *reconciler
	dispatcher *dispatcher

	finished chan struct{} // closed when Run is over
	running  bool          // board.mu guards it
}

// New makes a Scheduler, which is idle until Run.
func New(cfg Config) (*Scheduler, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := newBoard(cfg)
	s := &Scheduler{
		board: b, claims: newClaims(cfg.Table, cfg.Owner, cfg.Beat), records: &records{board: b, volatile: new(Memory)},
		poller: &poller{board: b}, follower: &follower{board: b, synced: make(chan struct{})}, finished: make(chan struct{}),
	}
	s.slots = &slots{board: b, claims: s.claims}
	s.reconciler = &reconciler{board: b, records: s.records}
	s.dispatcher = &dispatcher{
		board: b, claims: s.claims, slots: s.slots, records: s.records, reconciler: s.reconciler, follower: s.follower, runs: s.runConfig(),
	}
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
	g.Go(func() error { return s.follower.follow(support, s.cfg.Store) })
	g.Go(func() error { return s.follower.follow(support, s.records.volatile) })
	g.Go(func() error { s.follower.lookout(support); return nil })
	g.Go(func() error { s.beat(support); return nil })
	g.Go(func() error { s.poller.poll(support); return nil })
	g.Go(func() error { s.slots.count(support); return nil })
	g.Go(func() error { s.reconciler.work(support); return nil })
	g.Go(func() error {
		defer stop()
		return s.dispatcher.dispatch(ctx, support)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
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

// runConfig is what runs of jobs need of the scheduler.
func (s *Scheduler) runConfig() *run.Config {
	return &run.Config{
		Server: s.cfg.Server, Lists: s.cfg.Lists, Step: s.cfg.Step, Chain: s.cfg.Chain, Mismatch: s.cfg.HostMismatch, Now: s.cfg.Now, Log: s.log,
		Facts: s.cfg.Facts, Prepare: s.cfg.Prepare, Admit: s.cfg.Admit, Stopped: s.cfg.Stopped, Commanded: s.cfg.Commanded, Progress: s.progress,
		Enqueue: func(ctx context.Context, j *Job) error {
			_, err := s.Enqueue(ctx, j)
			return err
		},
		Move: func(ctx context.Context, j *Job, m job.Move) error { return s.records.transition(ctx, j, m, nil) },
		StepEnded: func(ctx context.Context, id string, r StepRecord, now func() *Job) {
			s.records.sequencer.turns(id)[0].tell(func() { s.records.report(ctx, Report{Job: now(), Step: &r}) })
		},
	}
}

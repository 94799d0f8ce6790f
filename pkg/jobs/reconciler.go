package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"
)

// The reconciler keeps the records of jobs that do not run in order: it parks and
// wakes them with their sensors, ends those that are cancelled, denied or too
// late, and publishes results that are still to be published.
type reconciler struct {
	s    *Scheduler
	wake chan struct{}

	mu      sync.Mutex
	line    []string
	waiting map[string]bool      // in line
	delayed map[string]time.Time // to be put in line then
}

// reconcilers is how many records are worked on at once.
const reconcilers = 100

func newReconciler(s *Scheduler) *reconciler {
	return &reconciler{s: s, wake: make(chan struct{}, reconcilers), waiting: map[string]bool{}, delayed: map[string]time.Time{}}
}

// add has jobs reviewed.
func (c *reconciler) add(ids ...string) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	for _, id := range ids {
		if !c.waiting[id] {
			c.waiting[id] = true
			c.line = append(c.line, id)
		}
	}
	c.mu.Unlock()
	signal(c.wake)
}

// later has a job reviewed after a while, unless it is forgotten by then.
func (c *reconciler) later(id string, d time.Duration) {
	c.mu.Lock()
	c.delayed[id] = time.Now().Add(d)
	c.mu.Unlock()
}

// forget drops a delayed review.
func (c *reconciler) forget(id string) {
	c.mu.Lock()
	delete(c.delayed, id)
	c.mu.Unlock()
}

// work reviews until ctx ends.
func (c *reconciler) work(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range reconcilers {
		workers.Go(func() {
			for {
				id, ok := c.take()
				if !ok {
					select {
					case <-c.wake:
						continue
					case <-ctx.Done():
						return
					}
				}
				if err := c.s.review(ctx, id); err != nil && ctx.Err() == nil {
					c.s.log.Warn().Err(err).Str("job", id).Msg("keeping the record")
					c.later(id, time.Second)
				}
			}
		})
	}
	for pace.Sleep(ctx, time.Second) == nil {
		c.add(c.due()...)
	}
}

func (c *reconciler) take() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line) == 0 {
		return "", false
	}
	id := c.line[0]
	c.line = c.line[1:]
	delete(c.waiting, id)
	if len(c.line) > 0 {
		signal(c.wake)
	}
	return id, true
}

func (c *reconciler) due() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for id, at := range c.delayed {
		if !at.After(now) {
			delete(c.delayed, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// review brings a job's record to the state that it should be in.
func (s *Scheduler) review(ctx context.Context, id string) error {
	j, err := s.storeOf(id).Get(ctx, id)
	if errors.Is(err, ErrNoJob) || errors.Is(err, ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	if j.State.Terminal() {
		s.conclude(ctx, j)
		return nil
	}
	m, edit := s.due(ctx, j, s.cfg.Now())
	if m == nil {
		return nil
	}
	err = s.transition(ctx, j, *m, edit)
	if errors.Is(err, ErrConflict) {
		s.reconciler.add(id)
		return nil
	}
	return err
}

// due is the transition that a job should make now, or nil.
func (s *Scheduler) due(ctx context.Context, j *Job, now time.Time) (*job.Move, func(*Job)) {
	switch {
	case j.State == Running:
		return nil, nil // its runner decides
	case j.Cancel != nil:
		return &job.Move{To: Cancelled, Reason: ReasonCancelled, Detail: j.Cancel.String()}, nil
	case j.State == Held && j.Decided(now):
		return j.Decide(now)
	case j.State == Held && s.arrived(ctx, j):
		return &job.Move{To: Queued, Detail: j.Missing().String() + " became known"}, (*Job).Unask
	case !j.Deadline.IsZero() && !j.Deadline.After(now):
		return &job.Move{To: Expired, Reason: ReasonDeadline, Detail: j.WaitedFor()}, nil
	case j.Reason == ReasonChild && s.childEnded(ctx, j):
		return &job.Move{To: Queued}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.queue.Job(j.ID); e != nil {
		if m := s.desire(e, now); m != nil && m.To != j.State { // the record may be newer than what we know
			return m, nil
		}
	}
	return nil, nil
}

// desire is the state that a waiting job should be in for what is known of its
// sensor, or nil if it is in it. That a sensor rests is this replica's experience
// and not recorded: replicas would write against each other. s.mu is held.
func (s *Scheduler) desire(e *order.Entry, now time.Time) *job.Move {
	sn := e.Sensor
	want := &job.Move{To: Queued}
	switch {
	case e.State != Queued && e.State != Parked, sn.Busy, e.Wake.After(now), e.Reason == ReasonChild:
		return nil
	case !e.Deadline.IsZero() && !e.Deadline.After(now):
		return &job.Move{To: Expired, Reason: ReasonDeadline}
	case sn.Missing:
		return &job.Move{To: Failed, Reason: ReasonUnknownSensor, Detail: "the EDR server does not know the sensor"}
	case !e.Session, sn.Read.IsZero():
		return nil
	case !sn.Info.LiveResponse:
		return &job.Move{To: Failed, Reason: ReasonUnsupported, Detail: "the sensor does not support Live Response"}
	case !sn.Offline.IsZero():
		want = &job.Move{To: Parked, Reason: ReasonOffline, Detail: "offline since " + sn.Offline.UTC().Format(time.RFC3339)}
	case e.State == Parked && !sn.Read.After(e.Since):
		return nil // whoever parked it may know better: not before we have read the sensor again
	}
	if want.To == e.State { // parked for something else before: Explain tells what it waits for now
		return nil
	}
	return want
}

// childEnded reports whether the job that a parked one waits for has ended.
func (s *Scheduler) childEnded(ctx context.Context, j *Job) bool {
	for _, r := range j.Done {
		if r.State != StepPending {
			continue
		}
		child, err := s.cfg.Store.Get(ctx, run.ChildID(j, r.ID, r.Item))
		if err == nil && child.State.Terminal() {
			return true
		}
	}
	return false
}

package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"
)

// The reconciler keeps the records of jobs that do not run in order: it parks and
// wakes them with their sensors, ends those that are cancelled, denied or too
// late, and publishes results that are still to be published.
type reconciler struct {
	*board
	records *records
}

// reconcilers is how many records are worked on at once.
const reconcilers = 100

// work reviews until ctx ends.
func (c *reconciler) work(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range reconcilers {
		workers.Go(func() {
			for {
				id, ok := c.reviews.take()
				if !ok {
					select {
					case <-c.reviews.wake:
						continue
					case <-ctx.Done():
						return
					}
				}
				if err := c.review(ctx, id); err != nil && ctx.Err() == nil {
					c.log.Warn().Err(err).Str("job", id).Msg("keeping the record")
					c.reviews.later(id, time.Second)
				}
			}
		})
	}
	for pace.Sleep(ctx, time.Second) == nil {
		c.reviews.add(c.reviews.due()...)
	}
}

// review brings a job's record to the state that it should be in.
func (c *reconciler) review(ctx context.Context, id string) error {
	j, err := c.records.storeOf(id).Get(ctx, id)
	if errors.Is(err, ErrNoJob) || errors.Is(err, ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	if j.State.Terminal() {
		c.records.conclude(ctx, j)
		return nil
	}
	m, edit := c.due(ctx, j, c.cfg.Now())
	if m == nil {
		return nil
	}
	err = c.records.transition(ctx, j, *m, edit)
	if errors.Is(err, ErrConflict) {
		c.reviews.add(id)
		return nil
	}
	return err
}

// due is the transition that a job should make now, or nil.
func (c *reconciler) due(ctx context.Context, j *Job, now time.Time) (*job.Move, func(*Job)) {
	switch {
	case j.State == Running:
		return nil, nil // its runner decides
	case j.Cancel != nil:
		return &job.Move{To: Cancelled, Reason: ReasonCancelled, Detail: j.Cancel.String()}, nil
	case j.State == Held && j.Decided(now):
		return j.Decide(now)
	case j.State == Held && c.arrived(ctx, j):
		return &job.Move{To: Queued, Detail: j.Missing().String() + " became known"}, (*Job).Unask
	case !j.Deadline.IsZero() && !j.Deadline.After(now):
		return &job.Move{To: Expired, Reason: ReasonDeadline, Detail: j.WaitedFor()}, nil
	case j.Reason == ReasonChild && c.childEnded(ctx, j):
		return &job.Move{To: Queued}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.queue.Job(j.ID); e != nil {
		if m := c.desire(e, now); m != nil && m.To != j.State { // the record may be newer than what we know
			return m, nil
		}
	}
	return nil, nil
}

// childEnded reports whether the job that a parked one waits for has ended.
func (c *reconciler) childEnded(ctx context.Context, j *Job) bool {
	for _, r := range j.Done {
		if r.State != StepPending {
			continue
		}
		child, err := c.cfg.Store.Get(ctx, run.ChildID(j, r.ID, r.Item))
		if err == nil && child.State.Terminal() {
			return true
		}
	}
	return false
}

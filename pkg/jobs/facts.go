package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"
)

// arrived reports whether the facts are known now for whose want people were asked.
func (c *reconciler) arrived(ctx context.Context, j *Job) bool {
	missing := j.Missing()
	if missing == 0 || c.cfg.Facts == nil {
		return false
	}
	return run.Knowing(ctx, c.cfg.Facts, j, edr.Sensor{}).Unknown()&missing == 0
}

// FactsChanged has the jobs looked at that are held because a fact of their endpoint is
// not known. Call it when facts may have become known.
func (s *Scheduler) FactsChanged() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.queue.Jobs() {
		if heldFor(e, ReasonUnknownFact) {
			s.reviews.add(e.ID)
		}
	}
}

func heldFor(e *order.Entry, reason Reason) bool { return e.State == Held && e.Reason == reason }

// HeldFor lists the jobs that are held for a reason, as far as is known here.
func (s *Scheduler) HeldFor(reason Reason) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.queue.Jobs() {
		if heldFor(e, reason) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// Settle moves a job that is held because a fact was pending, now that it is decided
// whether its rule matches; edit gives it what the match has. A job that is not held for
// that any more stays as it is.
func (s *Scheduler) Settle(ctx context.Context, id string, to State, reason Reason, detail string, edit func(j *Job)) error {
	for {
		j, err := s.Get(ctx, id)
		switch {
		case errors.Is(err, ErrNoJob):
			return nil
		case err != nil:
			return fmt.Errorf("settle job %s: %w", id, err)
		case j.State != Held || j.Reason != ReasonFactPending:
			return nil
		}
		err = s.records.transition(ctx, j, job.Move{To: to, Reason: reason, Detail: detail, Wake: wakeOf(j, edit)}, edit)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// wakeOf is when a job that is parked by an edit wakes.
func wakeOf(j *Job, edit func(j *Job)) (at time.Time) {
	if edit == nil {
		return at
	}
	after := *j
	edit(&after)
	return after.WakeAt
}

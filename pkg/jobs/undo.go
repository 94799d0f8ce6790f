package jobs

import (
	"context"
	"errors"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"
)

// Undo reverses now what a job did and what can be reversed: it makes a job for
// each such step, or wakes the one that waits for its undo_after. It returns
// those jobs' ids.
func (s *Scheduler) Undo(ctx context.Context, id, by string) (ids []string, err error) {
	of, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := len(of.Done) - 1; i >= 0; i-- { // the last thing done is undone first
		r := of.Done[i]
		act, ok := actions.Lookup(r.Uses)
		if !ok || r.State != StepOK || act.Spec().Undo == "" {
			continue
		}
		j := run.UndoJob(of, act.Spec(), r, s.cfg.Now())
		j.Submitter, j.State, j.Reason, j.WakeAt = by, Queued, "", time.Time{}
		created, err := s.Enqueue(ctx, j)
		if err != nil {
			return ids, err
		}
		if !created[0] {
			if err := s.wakeUp(ctx, j.ID); err != nil {
				return ids, err
			}
		}
		ids = append(ids, j.ID)
	}
	if len(ids) == 0 {
		return nil, job.Refuse("job %s did nothing that can be undone", id)
	}
	return ids, nil
}

// wakeUp has a job that waits for a time go on now.
func (s *Scheduler) wakeUp(ctx context.Context, id string) error {
	for {
		j, err := s.Get(ctx, id)
		if err != nil || j.State != Parked || j.WakeAt.IsZero() {
			return err
		}
		if err = s.records.transition(ctx, j, job.Move{To: Queued}, nil); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

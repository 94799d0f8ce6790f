package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

// undoJob is the job that reverses a step: recorded before the step's own end is,
// so that no crash can come between the two.
func undoJob(of *Job, spec actions.Spec, r StepRecord, at time.Time) *Job {
	j := &Job{
		ID: job.Digest("undo", of.ID, r.ID, strconv.Itoa(r.Item)), Of: of.ID, Rule: of.Rule, Digest: of.Digest,
		Submitter: of.Submitter, Sensor: of.Sensor, Host: of.Host, Priority: High, Mode: of.Mode, Literal: true,
		Timeout: 24 * time.Hour, Event: of.Event, Trace: of.Trace, State: Parked, Reason: ReasonDelayed, WakeAt: at,
		Detail: fmt.Sprintf("undoes step %s of job %s", r.ID, of.ID),
		Steps:  []actions.Step{{ID: job.UndoStep, Uses: spec.Undo, With: r.Args, Retry: &actions.Retry{Max: undoTries, Backoff: time.Minute}}},
	}
	return j
}

// undoTries is how often an undo is tried again. Nobody watches it, and as long as
// it has not happened an endpoint is off the network: with pauses that grow to
// ten minutes it goes on for most of a day.
const undoTries = 100

// scheduleUndo records the job that reverses a step after its undo_after.
func (x *execution) scheduleUndo(ctx context.Context, spec actions.Spec, st *actions.Step, r StepRecord) error {
	if spec.Undo == "" {
		return nil // rules are refused at load for this; a submitted job may still ask
	}
	_, err := x.s.Enqueue(ctx, undoJob(x.snapshot(), spec, r, x.s.cfg.Now().Add(st.UndoAfter)))
	return err
}

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
		j := undoJob(of, act.Spec(), r, s.cfg.Now())
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
		if err = s.transition(ctx, j, job.Move{To: Queued}, nil); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

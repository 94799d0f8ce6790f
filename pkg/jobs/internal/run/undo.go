package run

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

// UndoJob is the job that reverses a step: recorded before the step's own end is,
// so that no crash can come between the two.
func UndoJob(of *job.Job, spec actions.Spec, r job.StepRecord, at time.Time) *job.Job {
	j := &job.Job{
		ID: job.Digest("undo", of.ID, r.ID, strconv.Itoa(r.Item)), Of: of.ID, Rule: of.Rule, Digest: of.Digest,
		Submitter: of.Submitter, Endpoint: of.Endpoint, Host: of.Host, Meant: cmp.Or(of.Host, of.MeantHost()), Priority: job.High, Mode: of.Mode, Literal: true,
		Timeout: 24 * time.Hour, Event: of.Event, Trace: of.Trace, State: job.Parked, Reason: job.ReasonDelayed, WakeAt: at,
		Detail: fmt.Sprintf("undoes step %s of job %s", r.ID, of.ID),
		Steps:  []actions.Step{{ID: job.UndoStep, Uses: spec.Undo, With: r.Args, Undoes: &actions.Undone{Job: of.ID, Step: r.ID}, Retry: &actions.Retry{Max: undoTries, Backoff: time.Minute}}},
	}
	return j
}

// undoTries is how often an undo is tried again. Nobody watches it, and as long as
// it has not happened an endpoint is off the network: with pauses that grow to
// ten minutes it goes on for most of a day.
const undoTries = 100

// scheduleUndo records the job that reverses a step after its undo_after.
func (x *Execution) scheduleUndo(ctx context.Context, spec actions.Spec, st *actions.Step, r job.StepRecord) error {
	if spec.Undo == "" {
		return nil // rules are refused at load for this; a submitted job may still ask
	}
	return x.cfg.Enqueue(ctx, UndoJob(x.snapshot(), spec, r, x.cfg.Now().Add(st.UndoAfter)))
}

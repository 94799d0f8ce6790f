package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/job"
)

// save changes the record. It is ours alone while the job runs, except that
// people may ask for its end; whoever took the claim over has put another epoch
// into it, and then nothing is written. A store that does not answer is asked
// until ctx ends.
func (x *Execution) save(ctx context.Context, edit func(j *job.Job)) error {
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	x.mu.Lock()
	edit(x.job)
	x.job.Updated = x.cfg.Now()
	x.mu.Unlock()
	j := x.snapshot()
	for n := 0; ; n++ {
		err := x.store.Update(ctx, j)
		if err == nil {
			x.mu.Lock()
			x.job.Revision = j.Revision
			x.mu.Unlock()
			return nil
		}
		if errors.Is(err, job.ErrConflict) {
			if err = x.merge(ctx, j); err == nil {
				continue
			}
		}
		switch {
		case errors.Is(err, job.ErrTooLarge):
			return err
		case errors.Is(err, ErrFenced):
			x.place.Lose()
			return err
		case pace.Sleep(ctx, pace.Backoff(firstPause/10, n, 5*time.Second)) != nil:
			return fmt.Errorf("record of job %s: %w", x.id, errors.Join(context.Cause(ctx), err))
		}
	}
}

// merge takes what others changed in the record over into j, our next version.
func (x *Execution) merge(ctx context.Context, j *job.Job) error {
	fresh, err := x.store.Get(ctx, x.id)
	if errors.Is(err, job.ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrFenced, err) // somebody else has written over it: not ours to repair
	}
	if err != nil {
		return err
	}
	if fresh.State != job.Running || fresh.Owner != j.Owner || fresh.Epoch != j.Epoch {
		return ErrFenced
	}
	j.Revision = fresh.Revision
	if fresh.Cancel != nil && j.Cancel == nil {
		j.Cancel = fresh.Cancel
		x.mu.Lock()
		x.job.Cancel = fresh.Cancel
		x.mu.Unlock()
		x.stop(ErrCancelRequested)
	}
	return nil
}

// stepRecord returns a copy of the record of a step, or a new one.
func (x *Execution) stepRecord(st *actions.Step, item int) job.StepRecord {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.job.Done {
		if r.ID == st.ID && r.Item == item {
			return r
		}
	}
	return job.StepRecord{ID: st.ID, Item: item, Uses: st.Uses, State: job.StepPending}
}

// finish records and reports the end of a step.
func (x *Execution) finish(ctx context.Context, st *actions.Step, r job.StepRecord) error {
	r.Ended = x.cfg.Now()
	if r.Started.IsZero() {
		r.Started = r.Ended
	}
	err := x.save(ctx, func(j *job.Job) { j.Put(r) })
	if errors.Is(err, job.ErrTooLarge) {
		size := len(r.Output)
		r.Output, r.State, r.Reason = nil, job.StepFailed, job.ReasonTooLarge
		r.Error = fmt.Sprintf("the output of %d bytes is more than a job's record holds (%d): collect it as an artifact", size, job.MaxRecord)
		err = x.save(ctx, func(j *job.Job) { j.Put(r) })
	}
	if err != nil {
		return err
	}
	x.cfg.StepEnded(ctx, x.id, r, x.snapshot)
	return nil
}

func (x *Execution) snapshot() *job.Job {
	x.mu.Lock()
	defer x.mu.Unlock()
	j := *x.job
	return &j
}

// encodeOutput makes plain data of an action's output.
func encodeOutput(out any) (json.RawMessage, error) {
	if out == nil {
		return nil, nil
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode output: %w", err)
	}
	return data, nil
}

package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/internal/pace"
)

// save changes the record. It is ours alone while the job runs, except that
// people may ask for its end; whoever took the claim over has put another epoch
// into it, and then nothing is written. A store that does not answer is asked
// until ctx ends.
func (x *execution) save(ctx context.Context, edit func(j *Job)) error {
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	x.mu.Lock()
	edit(x.job)
	x.job.Updated = x.s.cfg.Now()
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
		if errors.Is(err, ErrConflict) {
			if err = x.merge(ctx, j); err == nil {
				continue
			}
		}
		switch {
		case errors.Is(err, ErrTooLarge):
			return err
		case errors.Is(err, errFenced):
			x.v.cancel(errFenced)
			return err
		case pace.Sleep(ctx, pace.Backoff(firstPause/10, n, 5*time.Second)) != nil:
			return fmt.Errorf("record of job %s: %w", x.id, errors.Join(context.Cause(ctx), err))
		}
	}
}

// merge takes what others changed in the record over into j, our next version.
func (x *execution) merge(ctx context.Context, j *Job) error {
	fresh, err := x.store.Get(ctx, x.id)
	if err != nil {
		return err
	}
	if fresh.State != Running || fresh.Owner != j.Owner || fresh.Epoch != j.Epoch {
		return errFenced
	}
	j.Revision = fresh.Revision
	if fresh.Cancel != nil && j.Cancel == nil {
		j.Cancel = fresh.Cancel
		x.mu.Lock()
		x.job.Cancel = fresh.Cancel
		x.mu.Unlock()
		x.stop(errCancelRequested)
	}
	return nil
}

// stepRecord returns a copy of the record of a step, or a new one.
func (x *execution) stepRecord(st *actions.Step, item int) StepRecord {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.job.Done {
		if r.ID == st.ID && r.Item == item {
			return r
		}
	}
	return StepRecord{ID: st.ID, Item: item, Uses: st.Uses, State: StepPending}
}

// finish records the end of a step and tells about it.
func (x *execution) finish(ctx context.Context, st *actions.Step, r StepRecord) error {
	r.Ended = x.s.cfg.Now()
	if r.Started.IsZero() {
		r.Started = r.Ended
	}
	err := x.save(ctx, func(j *Job) { j.Put(r) })
	if errors.Is(err, ErrTooLarge) {
		size := len(r.Output)
		r.Output, r.State, r.Reason = nil, StepFailed, ReasonTooLarge
		r.Error = fmt.Sprintf("the output of %d bytes is more than a job's record holds (%d): collect it as an artifact", size, MaxRecord)
		err = x.save(ctx, func(j *Job) { j.Put(r) })
	}
	if err != nil {
		return err
	}
	x.remember(st, r)
	x.s.sequencer.turns(x.id)[0].tell(func() { x.s.report(ctx, Report{Job: x.snapshot(), Step: &r}) })
	return nil
}

func (x *execution) snapshot() *Job {
	x.mu.Lock()
	defer x.mu.Unlock()
	j := *x.job
	return &j
}

// remember makes an ended step visible to later steps, and a failure count.
func (x *execution) remember(st *actions.Step, r StepRecord) {
	x.mu.Lock()
	defer x.mu.Unlock()
	res := actions.StepResult{ID: r.ID, Status: string(r.State), Error: r.Error, Output: r.Output}
	if r.Item > 0 {
		return // its foreach has the result
	}
	x.results[r.ID] = res
	bad := r.State == StepFailed || r.State == StepUnknown
	if !bad || st.OnError == "continue" && r.Reason != ReasonDenied || x.failed != nil {
		return
	}
	x.failed, x.worst, x.reason = &res, Failed, ReasonStep
	switch {
	case r.State == StepUnknown:
		x.worst, x.reason = Unknown, ReasonUnknown
	case r.Reason == ReasonDenied || r.Reason == ReasonUnanswered:
		x.worst, x.reason = Denied, r.Reason
	case r.Reason != "":
		x.reason = r.Reason
	}
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

package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/actions"
)

// Causes that end an execution.
var (
	errCancelRequested = errors.New("cancelled on request")
	errChainTimeout    = errors.New("the job's time is over")
)

// execution is one job being run on a visit. Its chain is one goroutine, and one
// more for each parallel step without a session.
type execution struct {
	s     *Scheduler
	v     *visit
	id    string
	store Store
	stop  context.CancelCauseFunc

	saving chan struct{} // holds one: whoever is in writes the record

	commands atomic.Int64 // that have come to their end

	mu      sync.Mutex // guards what follows
	job     *Job
	results map[string]actions.StepResult
	failed  *actions.StepResult // first failure that was not let pass
	worst   State               // Failed, Denied or Unknown, once failed is set
	reason  Reason

	chainBinder, failureBinder *actions.Binder
}

// halt ends an execution before its chain has ended: the job waits for
// something, or we may not go on with it.
type halt struct {
	move        // where the job goes
	keep bool   // leave the record as it is: whoever resumes it decides
	text string // for the log, with keep
}

// run runs the sensor's next job and tells whether the visit can go on.
func (v *visit) run(e *entry) bool {
	j, crashed, err := v.begin(e)
	if err != nil {
		if !errors.Is(err, errGroupBusy) {
			v.s.log.Warn().Err(err).Str("job", e.id).Msg("starting the job")
		}
		v.s.snooze(e.id, snoozeFor)
		return v.ctx.Err() == nil
	}
	if j == nil {
		return true // it has ended meanwhile
	}
	ctx, stop := context.WithCancelCause(v.ctx)
	defer stop(nil)
	x := &execution{
		s: v.s, v: v, id: j.ID, store: v.s.storeOf(j.ID), stop: stop, saving: make(chan struct{}, 1),
		job: j, results: map[string]actions.StepResult{},
	}
	v.setNow(x)
	defer v.setNow(nil)
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeLeft(), errChainTimeout)
	defer cancel()
	if crashed {
		v.s.log.Info().Str("job", j.ID).Int("sensor", j.Sensor).Msg("resuming a job that was interrupted")
	}
	defer v.exit(j)
	if e.function != nil {
		return x.end(x.function(ctx, e.function))
	}
	return x.end(x.chain(ctx))
}

func (v *visit) setNow(x *execution) {
	v.mu.Lock()
	v.now = x
	v.mu.Unlock()
}

// snoozeFor keeps a job that could not be started from being tried in a loop.
const snoozeFor = 2 * time.Second

// snooze has a job passed over for a while.
func (s *Scheduler) snooze(id string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.queue.jobs[id]; e != nil {
		e.wake = time.Now().Add(d)
		s.queue.setAlarm(e.sensor, e.wake)
	}
}

// begin takes the job's record as running under our claim. j is nil when there
// is nothing to run any more; crashed tells that somebody ran it before us.
func (v *visit) begin(e *entry) (j *Job, crashed bool, err error) {
	store := v.s.storeOf(e.id)
	for {
		j, err = store.Get(v.ctx, e.id)
		if errors.Is(err, ErrNoJob) {
			v.s.drop(e.id)
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if j.State.Terminal() || j.State == Held {
			v.s.mu.Lock()
			v.s.note(j)
			v.s.mu.Unlock()
			return nil, false, nil
		}
		if j.State != Running {
			if m, edit := v.s.due(v.ctx, j, time.Now()); m != nil && m.to.Terminal() {
				if err = v.s.transition(v.ctx, j, *m, edit); errors.Is(err, ErrConflict) {
					continue
				}
				return nil, false, err
			}
		}
		if err := v.enter(j); err != nil {
			return nil, false, err
		}
		if j.State == Running {
			crashed, j.Owner, j.Epoch = true, v.s.cfg.Owner, v.epoch
			err = store.Update(v.ctx, j)
		} else {
			err = v.s.transition(v.ctx, j, move{to: Running}, func(j *Job) {
				j.Owner, j.Epoch = v.s.cfg.Owner, v.epoch
				j.Attempts++
			})
			v.s.charge(e.id)
		}
		if !errors.Is(err, ErrConflict) {
			return j, crashed, err
		}
	}
}

// enter notes a job's concurrency group in the claim, so that no other replica
// runs one of the same group.
func (v *visit) enter(j *Job) error {
	if j.Group == "" {
		return nil
	}
	return v.s.claims.set(v.ctx, v.sensor, v.epoch, func(t *Table, cl *Claim) error {
		for sensor, other := range t.Claims {
			if sensor != v.sensor && other.Group == j.Group {
				return errGroupBusy
			}
		}
		cl.Job, cl.Group = j.ID, j.Group
		return nil
	})
}

// exit frees the job's concurrency group.
func (v *visit) exit(j *Job) {
	if j.Group == "" {
		return
	}
	// Should this fail, the group is free when the claim is.
	_ = v.s.claims.set(v.ctx, v.sensor, v.epoch, func(_ *Table, cl *Claim) error {
		cl.Job, cl.Group = "", ""
		return nil
	})
}

func (s *Scheduler) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.remove(id, time.Now())
}

func (s *Scheduler) charge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.queue.jobs[id]; e != nil {
		s.queue.charge(e)
	}
}

func (x *execution) timeLeft() time.Duration {
	limit := x.job.Timeout
	if limit <= 0 {
		limit = x.s.cfg.Chain
	}
	return max(limit-x.job.Ran, time.Second)
}

// chain runs the steps from where the job stopped last.
func (x *execution) chain(ctx context.Context) *halt {
	if h := x.steps(ctx, x.job.Steps, false); h != nil {
		return h
	}
	if x.failed != nil {
		if h := x.steps(ctx, x.job.OnFailure, true); h != nil {
			return h
		}
	}
	return x.verdict()
}

// steps runs steps in order. cleanup are those of OnFailure, which run because
// the chain has failed.
func (x *execution) steps(ctx context.Context, steps []actions.Step, cleanup bool) *halt {
	for i := range steps {
		if h := x.step(ctx, &steps[i], cleanup); h != nil {
			return h
		}
		if h := x.interrupted(ctx); h != nil {
			return h
		}
	}
	return nil
}

// interrupted is what to do between two steps when we are asked to stop.
func (x *execution) interrupted(ctx context.Context) *halt {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errFenced):
		return &halt{keep: true, text: "the claim was lost"}
	case errors.Is(cause, errCancelRequested):
		return x.cancelled("")
	case errors.Is(cause, errChainTimeout):
		return &halt{move: move{to: Failed, reason: ReasonTimeout, detail: "the job's time is over"}}
	case cause != nil:
		return &halt{move: move{to: Queued, reason: ReasonShutdown}}
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.stopping {
		return &halt{move: move{to: Queued, reason: ReasonShutdown}}
	}
	return nil
}

func (x *execution) cancelled(detail string) *halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := "on request"
	if x.job.Cancel != nil {
		text = x.job.Cancel.String()
	}
	if detail != "" {
		text += "; " + detail
	}
	return &halt{move: move{to: Cancelled, reason: ReasonCancelled, detail: text}}
}

// verdict is how a chain that has come to its end ends the job.
func (x *execution) verdict() *halt {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.failed == nil {
		return &halt{move: move{to: Succeeded}}
	}
	return &halt{move: move{
		to: x.worst, reason: x.reason, detail: fmt.Sprintf("step %s: %s", x.failed.ID, x.failed.Error),
	}}
}

// end writes what became of the job and tells whether the visit can go on. A
// store that does not answer is asked until the claim is lost.
func (x *execution) end(h *halt) bool {
	if h.keep {
		x.s.log.Info().Str("job", x.id).Str("why", h.text).Msg("leaving the job to whoever resumes it")
		return false
	}
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	j := x.snapshot()
	for n := 0; ; n++ {
		err := x.s.transition(x.v.ctx, j, h.move, nil)
		if err == nil {
			return x.v.ctx.Err() == nil
		}
		if errors.Is(err, ErrConflict) {
			if err = x.merge(x.v.ctx, j); err == nil {
				continue
			}
		}
		if errors.Is(err, errFenced) || sleep(x.v.ctx, pause(firstPause/10, n, 5*time.Second)) != nil {
			x.s.log.Warn().Err(err).Str("job", x.id).Msg("ending the job")
			return false
		}
	}
}

// save changes the record. It is ours alone while the job runs, except that
// people may ask for its end; whoever took the claim over has put another epoch
// into it, and then nothing is written. A store that does not answer is asked
// until ctx ends.
func (x *execution) save(ctx context.Context, edit func(j *Job)) error {
	x.saving <- struct{}{}
	defer func() { <-x.saving }()
	x.mu.Lock()
	edit(x.job)
	x.job.Updated = time.Now()
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
		case sleep(ctx, pause(firstPause/10, n, 5*time.Second)) != nil:
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

// put places a step's record in the job's.
func (j *Job) put(r StepRecord) {
	j.Done = slices.Clone(j.Done)
	for i := range j.Done {
		if j.Done[i].ID == r.ID && j.Done[i].Item == r.Item {
			j.Done[i] = r
			return
		}
	}
	j.Done = append(j.Done, r)
}

// finish records the end of a step and tells about it.
func (x *execution) finish(ctx context.Context, st *actions.Step, r StepRecord) error {
	r.Ended = time.Now()
	if r.Started.IsZero() {
		r.Started = r.Ended
	}
	err := x.save(ctx, func(j *Job) { j.put(r) })
	if errors.Is(err, ErrTooLarge) {
		size := len(r.Output)
		r.Output, r.State, r.Reason = nil, StepFailed, ReasonTooLarge
		r.Error = fmt.Sprintf("the output of %d bytes is more than a job's record holds (%d): collect it as an artifact", size, MaxRecord)
		err = x.save(ctx, func(j *Job) { j.put(r) })
	}
	if err != nil {
		return err
	}
	x.remember(st, r)
	x.s.report(ctx, Report{Job: x.snapshot(), Step: &r})
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

package jobs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/job"
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
	job.Move        // where the job goes
	keep     bool   // leave the record as it is: whoever resumes it decides
	text     string // for the log, with keep
	off      error  // why the sensor is left alone for a while; nil: it is not
}

// run runs the sensor's next job and tells whether the visit can go on.
func (v *visit) run(e *order.Entry) bool {
	j, crashed, err := v.begin(e)
	if err != nil {
		return v.notBegun(e, err)
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
	defer v.telling.Wait()
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeLeft(), errChainTimeout)
	defer cancel()
	if crashed {
		v.s.log.Info().Str("job", j.ID).Int("sensor", j.Sensor).Msg("resuming a job that was interrupted")
	}
	defer v.exit(j)
	if e.Volatile {
		return x.end(x.function(ctx, v.s.function(e.ID)))
	}
	return x.end(x.chain(ctx))
}

// notBegun lets others pass a job that cannot begin for a reason of its own. Where
// its record cannot be read or written the sensor's next one has to wait as well.
func (v *visit) notBegun(e *order.Entry, err error) bool {
	if errors.Is(err, errGroupBusy) {
		v.s.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.s.log.Warn().Err(err).Str("job", e.ID).Msg("starting the job")
	if errors.Is(err, ErrTooLarge) {
		v.s.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.s.holdOff(v.sensor, ReasonBus, err, snoozeFor)
	return false
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
	if e := s.queue.Job(id); e != nil {
		e.Wake = s.cfg.Now().Add(d)
		s.queue.SetAlarm(e.Sensor, e.Wake)
	}
}

// begin takes the job's record as running under our claim. j is nil when there
// is nothing to run any more; crashed tells that somebody ran it before us.
func (v *visit) begin(e *order.Entry) (j *Job, crashed bool, err error) {
	store := v.s.storeOf(e.ID)
	for j = v.early; ; j = nil {
		if j == nil {
			j, err = store.Get(v.ctx, e.ID)
		}
		if errors.Is(err, ErrNoJob) {
			v.s.drop(e.ID)
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
			if m, edit := v.s.due(v.ctx, j, v.s.cfg.Now()); m != nil && m.To.Terminal() {
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
			var tell func()
			tell, err = v.s.change(v.ctx, j, job.Move{To: Running}, func(j *Job) {
				j.Owner, j.Epoch = v.s.cfg.Owner, v.epoch
				j.Attempts++
			})
			if err == nil {
				v.telling.Go(tell) // nobody waits for it before acting
			}
			v.s.charge(e.ID)
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
	s.queue.Remove(id, s.cfg.Now())
}

func (s *Scheduler) charge(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.queue.Job(id); e != nil {
		s.queue.Charge(e)
	}
}

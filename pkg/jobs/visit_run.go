package jobs

import (
	"context"
	"errors"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
	"edrpipe/pkg/jobs/job"
)

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
	x := run.New(&v.s.runs, v, v.s.storeOf(j.ID), j, stop)
	v.setNow(x)
	defer v.setNow(nil)
	defer v.telling.Wait()
	if crashed {
		v.s.log.Info().Str("job", j.ID).Str("endpoint", j.Endpoint.String()).Msg("resuming a job that was interrupted")
	}
	defer v.exit(j)
	var h *run.Halt
	if e.Volatile {
		f := v.s.function(e.ID)
		h = x.Function(ctx, f.run, f.returned)
	} else {
		h = x.Chain(ctx)
	}
	if !x.End(v.ctx, h) {
		return false
	}
	if h.Off != nil {
		v.s.holdOff(v.sensor, h.Reason, h.Off, snoozeFor)
		return false
	}
	return v.ctx.Err() == nil
}

// runConfig is what runs of jobs need of the scheduler.
func (s *Scheduler) runConfig() run.Config {
	return run.Config{
		Server: s.cfg.Server, Lists: s.cfg.Lists, Step: s.cfg.Step, Chain: s.cfg.Chain, Mismatch: s.cfg.HostMismatch, Now: s.cfg.Now, Log: s.log,
		Facts: s.cfg.Facts, Prepare: s.cfg.Prepare, Admit: s.cfg.Admit, Stopped: s.cfg.Stopped, Commanded: s.cfg.Commanded, Progress: s.progress,
		Enqueue: func(ctx context.Context, j *Job) error {
			_, err := s.Enqueue(ctx, j)
			return err
		},
		Move: func(ctx context.Context, j *Job, m job.Move) error { return s.transition(ctx, j, m, nil) },
		StepEnded: func(ctx context.Context, id string, r StepRecord, now func() *Job) {
			s.sequencer.turns(id)[0].tell(func() { s.report(ctx, Report{Job: now(), Step: &r}) })
		},
	}
}

// A visit is the run.Place of its jobs.
var _ run.Place = (*visit)(nil)

// Open implements run.Place.
func (v *visit) Open(ctx context.Context) (edr.Session, error) { return v.open(ctx) }

// Session implements run.Place.
func (v *visit) Session() edr.Session {
	if v.session == nil {
		return nil
	}
	return v.session
}

// Close implements run.Place.
func (v *visit) Close(ctx context.Context) error { return v.close(ctx) }

// Info implements run.Place.
func (v *visit) Info() (edr.Sensor, time.Time) { return v.info() }

// Valid implements run.Place.
func (v *visit) Valid() error { return v.s.claims.valid(v.sensor, v.epoch) }

// Lose implements run.Place.
func (v *visit) Lose() { v.cancel(run.ErrFenced) }

// Stopping implements run.Place.
func (v *visit) Stopping() bool {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.s.stopping
}

// Parting implements run.Place.
func (v *visit) Parting(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return v.s.parting(ctx, most)
}

// notBegun lets others pass a job that cannot begin for a reason of its own. Where
// its record cannot be read or written the sensor's next one has to wait as well.
func (v *visit) notBegun(e *order.Entry, err error) bool {
	if errors.Is(err, errGroupBusy) {
		v.s.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.s.log.Warn().Err(err).Str("job", e.ID).Msg("starting the job")
	if errors.Is(err, ErrDamaged) {
		v.s.drop(e.ID)
		return v.ctx.Err() == nil
	}
	if errors.Is(err, ErrTooLarge) {
		v.s.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.s.holdOff(v.sensor, ReasonBus, err, snoozeFor)
	return false
}

// runs reports whether the visit runs the job now.
func (v *visit) runs(id string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now != nil && v.now.ID() == id
}

func (v *visit) setNow(x *run.Execution) {
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

// begin records the job as running under our claim. j is nil if it need not run any
// more; crashed: an earlier run of it was interrupted.
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
				v.telling.Go(tell) // the steps do not wait for it
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

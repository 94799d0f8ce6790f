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
	x := run.New(v.d.runs, v, v.d.records.storeOf(j.ID), j, stop)
	v.setNow(x)
	defer v.setNow(nil)
	defer v.telling.Wait()
	if crashed {
		v.d.log.Info().Str("job", j.ID).Str("endpoint", j.Endpoint.String()).Msg("resuming a job that was interrupted")
	}
	defer v.exit(j)
	var h *run.Halt
	if e.Volatile {
		f := v.d.function(e.ID)
		h = x.Function(ctx, f.run, f.returned)
	} else {
		h = x.Chain(ctx)
	}
	if !x.End(v.ctx, h) {
		return false
	}
	if h.Off != nil {
		v.d.holdOff(v.sensor, h.Reason, h.Off, snoozeFor)
		return false
	}
	return v.ctx.Err() == nil
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
func (v *visit) Valid() error { return v.d.claims.valid(v.sensor, v.epoch) }

// Lose implements run.Place.
func (v *visit) Lose() { v.cancel(run.ErrFenced) }

// Stopping implements run.Place.
func (v *visit) Stopping() bool {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	return v.d.stopping
}

// Parting implements run.Place.
func (v *visit) Parting(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return v.d.parting(ctx, most)
}

// notBegun lets others pass a job that cannot begin for a reason of its own. Where
// its record cannot be read or written the sensor's next one has to wait as well.
func (v *visit) notBegun(e *order.Entry, err error) bool {
	if errors.Is(err, errGroupBusy) {
		v.d.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.d.log.Warn().Err(err).Str("job", e.ID).Msg("starting the job")
	if errors.Is(err, ErrDamaged) {
		v.d.drop(e.ID)
		return v.ctx.Err() == nil
	}
	if errors.Is(err, ErrTooLarge) {
		v.d.snooze(e.ID, snoozeFor)
		return v.ctx.Err() == nil
	}
	v.d.holdOff(v.sensor, ReasonBus, err, snoozeFor)
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

// begin records the job as running under our claim. j is nil if it need not run any
// more; crashed: an earlier run of it was interrupted.
func (v *visit) begin(e *order.Entry) (j *Job, crashed bool, err error) {
	store := v.d.records.storeOf(e.ID)
	for j = v.early; ; j = nil {
		if j == nil {
			j, err = store.Get(v.ctx, e.ID)
		}
		if errors.Is(err, ErrNoJob) {
			v.d.drop(e.ID)
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if j.State.Terminal() || j.State == Held {
			v.d.mu.Lock()
			v.d.note(j)
			v.d.mu.Unlock()
			return nil, false, nil
		}
		if j.State != Running {
			if m, edit := v.d.reconciler.due(v.ctx, j, v.d.cfg.Now()); m != nil && m.To.Terminal() {
				if err = v.d.records.transition(v.ctx, j, *m, edit); errors.Is(err, ErrConflict) {
					continue
				}
				return nil, false, err
			}
		}
		if err := v.enter(j); err != nil {
			return nil, false, err
		}
		if j.State == Running {
			crashed, j.Owner, j.Epoch = true, v.d.cfg.Owner, v.epoch
			err = store.Update(v.ctx, j)
		} else {
			var tell func()
			tell, err = v.d.records.change(v.ctx, j, job.Move{To: Running}, func(j *Job) {
				j.Owner, j.Epoch = v.d.cfg.Owner, v.epoch
				j.Attempts++
			})
			if err == nil {
				v.telling.Go(tell) // the steps do not wait for it
			}
			v.d.charge(e.ID)
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
	return v.d.claims.set(v.ctx, v.sensor, v.epoch, func(t *Table, cl *Claim) error {
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
	_ = v.d.claims.set(v.ctx, v.sensor, v.epoch, func(_ *Table, cl *Claim) error {
		cl.Job, cl.Group = "", ""
		return nil
	})
}

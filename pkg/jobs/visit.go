package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
)

// errShutdown ends steps that outlast the grace of a shutdown.
var errShutdown = errors.New("the scheduler is stopping")

// A visit is our work on one sensor under one claim: its jobs in order, on one
// session. It is one goroutine; the fields up to tenure are its own.
type visit struct {
	d         *dispatcher
	sensor    edr.Endpoint
	epoch     uint64 // of the claim; 0 before it is taken
	wantsSlot bool
	slot      bool     // the claim holds a slot
	counted   bool     // the slot is in the table: slots.promised does not count it any more
	leaves    bool     // the claim stays behind, because its session could not be closed
	session   *session // nil: none is open
	early     *Job     // the record of the job to be begun, as read by inSight; nil: begin reads it
	ctx       context.Context
	cancel    context.CancelCauseFunc
	poke      chan struct{}  // look whether there is work, or whether to yield
	telling   sync.WaitGroup // the report that the job has begun
	tenure

	mu  sync.Mutex
	now *run.Execution // the job that runs
}

// work claims the sensor and runs its jobs until there is none or others wait.
func (v *visit) work() {
	log := v.d.log.With().Str("endpoint", v.sensor.String()).Logger()
	cl, was, err := v.d.claims.take(v.ctx, v.sensor, v.wantsSlot, v.d.slots.limit())
	if err != nil {
		if !errors.Is(err, errElsewhere) && !errors.Is(err, run.ErrNoSlot) {
			log.Warn().Err(err).Msg("claiming the sensor")
			v.d.holdOff(v.sensor, ReasonBus, err, v.d.cfg.Beat)
		}
		return
	}
	v.d.mu.Lock()
	v.epoch, v.slot = cl.Epoch, cl.Slot
	v.settleSlot()
	v.d.mu.Unlock()
	defer v.leave()
	if was.Owner != "" {
		log.Info().Str("owner", was.Owner).Str("session", string(was.Session)).Msg("taking over a claim")
		if err := v.fence(was); err != nil {
			v.leaves = true
			return
		}
	}
	for {
		e := v.next()
		switch {
		case e == nil:
			if !v.hold() {
				return
			}
		case !v.inSight(e):
			return
		case v.next() != e: // another one comes first
		case !v.ready(e) || !v.run(e):
			return
		}
	}
}

// inSight waits until all is known that was recorded before the job is begun: it
// may come before it. If that cannot be had the sensor is left alone for a while.
// Meanwhile it reads the job's record, which is current if it can be changed.
func (v *visit) inSight(e *order.Entry) bool {
	v.early = nil
	if e.Volatile {
		return true
	}
	var reading sync.WaitGroup
	reading.Go(func() { v.early, _ = v.d.cfg.Store.Get(v.ctx, e.ID) }) // what cannot be read now begin reads again
	err := v.d.follower.catchUp(v.ctx)
	reading.Wait()
	if err != nil && v.ctx.Err() == nil {
		v.d.log.Warn().Err(err).Str("endpoint", v.sensor.String()).Msg("not every job of the sensor is known")
		v.d.holdOff(v.sensor, ReasonBus, err, v.d.cfg.Beat)
	}
	return err == nil
}

// settleSlot moves the slot from those promised to those in the table; board.mu is held.
func (v *visit) settleSlot() {
	if v.wantsSlot && !v.counted {
		v.counted = true
		v.d.slots.promised--
	}
}

// next is the job to run now, or nil.
func (v *visit) next() *order.Entry {
	if v.ctx.Err() != nil {
		return nil
	}
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if v.d.stopping || !v.d.mayBegin() {
		return nil
	}
	now := v.d.cfg.Now()
	e := v.d.queue.Head(v.d.queue.Sensor(v.sensor), now)
	if e == nil || (e.Session && !v.slot) {
		return nil // without a slot the sensor goes back in line for one
	}
	if v.givesUpBefore(e, now) {
		return nil
	}
	v.serves = e
	return e
}

// ready opens the session that the job needs. If that is not possible now, the job has
// not begun and its record is unchanged.
func (v *visit) ready(e *order.Entry) bool {
	if !e.Session {
		return true
	}
	_, err := v.open(v.ctx)
	if err != nil && context.Cause(v.ctx) == nil {
		v.d.log.Info().Err(err).Str("endpoint", v.sensor.String()).Msg("no session now")
	}
	return err == nil
}

// leave closes the session and gives the claim back. A claim whose session may
// still be open stays, so that the server's limit is not exceeded.
func (v *visit) leave() {
	ctx, cancel := v.d.parting(v.ctx, closeTimeout)
	defer cancel()
	fenced := errors.Is(context.Cause(v.ctx), run.ErrFenced)
	if v.session != nil {
		if err := v.close(ctx); err != nil {
			v.leaves = true
		}
	}
	if fenced || v.leaves {
		v.d.claims.abandon(v.sensor, v.epoch)
		return
	}
	if err := v.d.claims.release(ctx, v.sensor, v.epoch); err != nil {
		v.d.log.Warn().Err(err).Str("endpoint", v.sensor.String()).Msg("releasing the sensor; the claim is cleared later")
	}
}

// noticed handles another replica's or a person's change to a job of the sensor during
// our visit. board.mu is held.
func (v *visit) noticed(j *Job) {
	v.mu.Lock()
	if x := v.now; x != nil && x.ID() == j.ID && j.Cancel != nil {
		x.Cancel()
	}
	v.mu.Unlock()
	signal(v.poke)
}

// info is what is known of the visit's sensor.
func (v *visit) info() (edr.Sensor, time.Time) {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	sn := v.d.queue.Sensor(v.sensor)
	return sn.Info, sn.Read
}

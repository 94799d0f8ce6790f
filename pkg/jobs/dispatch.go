package jobs

import (
	"context"
	"sync"
	"time"

	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/internal/run"
)

// A dispatcher starts visits to sensors. board.mu guards given.
type dispatcher struct {
	*board
	claims     *claims
	slots      *slots
	records    *records
	reconciler *reconciler
	follower   *follower
	runs       *run.Config

	given []*order.Sensor // that gave their slot up; still busy until others had their choice
	late  context.Context // set before the first visit; ends with the grace of a shutdown
}

// dispatch starts visits to sensors until ctx ends, then waits for them to end:
// within the grace by themselves, after it by force.
func (d *dispatcher) dispatch(ctx, support context.Context) error {
	var visits sync.WaitGroup
	work, force := context.WithCancelCause(support)
	defer force(nil)
	late, over := context.WithCancel(context.WithoutCancel(ctx))
	defer over()
	d.late = late
	for ctx.Err() == nil && support.Err() == nil {
		next := d.startVisits(work, &visits)
		timer := time.NewTimer(d.untilNext(next))
		select {
		case <-d.wake:
		case <-timer.C:
		case <-ctx.Done():
		case <-support.Done():
		}
		timer.Stop()
	}
	d.mu.Lock()
	d.stopping = true
	for _, v := range d.visits {
		signal(v.poke)
	}
	d.mu.Unlock()
	grace := time.AfterFunc(d.cfg.Grace-farewell(d.cfg.Grace), func() { force(errShutdown) })
	end := time.AfterFunc(d.cfg.Grace, over)
	visits.Wait()
	grace.Stop()
	end.Stop()
	return nil
}

// farewell is the part of the grace that is kept for closing the sessions of steps
// that did not end in the rest of it.
func farewell(grace time.Duration) time.Duration { return min(grace/4, 2*time.Second) }

// untilNext is how long the dispatcher may sleep.
func (d *dispatcher) untilNext(next time.Time) time.Duration {
	if next.IsZero() {
		return time.Hour
	}
	return max(next.Sub(d.cfg.Now()), 0)
}

// startVisits starts every visit that can be started now and returns when to
// look again.
func (d *dispatcher) startVisits(ctx context.Context, visits *sync.WaitGroup) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	defer d.reviewGiven(now)
	if !d.ready {
		return time.Time{}
	}
	due, next := d.queue.Ring(now)
	d.reviews.add(due...)
	if !d.mayBegin() {
		return next
	}
	next = order.Earliest(next, d.startChosen(ctx, visits, now))
	if d.reviewGiven(now) {
		next = order.Earliest(next, d.startChosen(ctx, visits, now))
	}
	d.slots.wakeIdle(now)
	d.slots.giveUpIdle(now)
	d.slots.giveUpPending(now)
	return next
}

// startChosen starts visits while there are slots and workers. next is when there may
// be more of them; d.mu is held.
func (d *dispatcher) startChosen(ctx context.Context, visits *sync.WaitGroup, now time.Time) (next time.Time) {
	for {
		free, until := d.slots.freeSlots(now)
		next = order.Earliest(next, until)
		c := d.queue.Choose(now, free > 0, d.claims.elsewhere)
		if c.Sensor == nil {
			return next
		}
		slot := c.Job != nil && c.Job.Session
		if !slot && len(d.visits) >= d.cfg.Workers+d.cfg.Sessions {
			return next
		}
		d.startVisit(ctx, visits, c, slot)
	}
}

// reviewGiven makes sensors available again that gave their slot up, which it reports:
// after those that it was given up for had their choice. d.mu is held.
func (d *dispatcher) reviewGiven(now time.Time) bool {
	given := d.given
	d.given = nil
	for _, sn := range given {
		d.available(sn, now)
	}
	return len(given) > 0
}

// startVisit marks the sensor as ours and works on it; d.mu is held.
func (d *dispatcher) startVisit(ctx context.Context, visits *sync.WaitGroup, c order.Candidate, slot bool) {
	sn := c.Sensor
	sn.Busy, sn.Stale = true, false
	d.queue.Review(sn, d.cfg.Now())
	v := &visit{d: d, sensor: sn.Endpoint, wantsSlot: slot, poke: make(chan struct{}, 1)}
	v.ctx, v.cancel = context.WithCancelCause(ctx)
	d.visits[sn.Endpoint] = v
	if slot {
		d.slots.promised++
	}
	visits.Go(func() {
		v.work()
		v.cancel(nil)
		d.endVisit(v)
	})
}

// endVisit makes the sensor available again.
func (d *dispatcher) endVisit(v *visit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v.settleSlot()
	delete(d.visits, v.sensor)
	sn := d.queue.Sensor(v.sensor)
	sn.Stale = false // a claim left behind waits for a beat: what failed now would fail again at once
	d.queue.SetAlarm(sn, sn.Rest)
	if v.giving != "" {
		d.slots.backpressure.free()
		d.given = append(d.given, sn)
		d.log.Info().Str("endpoint", v.sensor.String()).Str("why", v.giving).Msg("slot given up")
	} else {
		d.available(sn, d.cfg.Now())
	}
	d.poke()
}

// parting is the context for closing a session or retracting a command: it outlives the
// end of the visit or step, and ends with the grace period of a shutdown. A server that
// does not answer cannot delay that; the session's claim stays, and the replica that
// takes it over closes the session.
func (d *dispatcher) parting(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	forget := context.AfterFunc(d.late, cancel)
	return ctx, func() { forget(); cancel() }
}

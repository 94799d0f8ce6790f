package jobs

import (
	"context"
	"sync"
	"time"

	"edrpipe/pkg/jobs/internal/order"
)

// dispatch starts visits to sensors until ctx ends, then waits for them to end:
// within the grace by themselves, after it by force.
func (s *Scheduler) dispatch(ctx, support context.Context) error {
	var visits sync.WaitGroup
	work, force := context.WithCancelCause(support)
	defer force(nil)
	late, over := context.WithCancel(context.WithoutCancel(ctx))
	defer over()
	s.late = late
	for ctx.Err() == nil && support.Err() == nil {
		next := s.startVisits(work, &visits)
		timer := time.NewTimer(s.untilNext(next))
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		case <-support.Done():
		}
		timer.Stop()
	}
	s.mu.Lock()
	s.stopping = true
	for _, v := range s.visits {
		signal(v.poke)
	}
	s.mu.Unlock()
	grace := time.AfterFunc(s.cfg.Grace-farewell(s.cfg.Grace), func() { force(errShutdown) })
	end := time.AfterFunc(s.cfg.Grace, over)
	visits.Wait()
	grace.Stop()
	end.Stop()
	return nil
}

// farewell is the part of the grace that is kept for closing the sessions of steps
// that did not end in the rest of it.
func farewell(grace time.Duration) time.Duration { return min(grace/4, 2*time.Second) }

// untilNext is how long the dispatcher may sleep.
func (s *Scheduler) untilNext(next time.Time) time.Duration {
	if next.IsZero() {
		return time.Hour
	}
	return max(next.Sub(s.cfg.Now()), 0)
}

// startVisits starts every visit that can be started now and returns when to
// look again.
func (s *Scheduler) startVisits(ctx context.Context, visits *sync.WaitGroup) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	defer s.reviewGiven(now)
	if !s.ready {
		return time.Time{}
	}
	due, next := s.queue.Ring(now)
	s.reconciler.add(due...)
	if !s.mayBegin() {
		return next
	}
	next = order.Earliest(next, s.startChosen(ctx, visits, now))
	if s.reviewGiven(now) {
		next = order.Earliest(next, s.startChosen(ctx, visits, now))
	}
	s.wakeIdle(now)
	s.giveUpIdle(now)
	s.giveUpPending(now)
	return next
}

// startChosen starts visits while there are slots and workers. next is when there may
// be more of them; s.mu is held.
func (s *Scheduler) startChosen(ctx context.Context, visits *sync.WaitGroup, now time.Time) (next time.Time) {
	for {
		free, until := s.freeSlots(now)
		next = order.Earliest(next, until)
		c := s.queue.Choose(now, free > 0, s.claims.elsewhere)
		if c.Sensor == nil {
			return next
		}
		slot := c.Job != nil && c.Job.Session
		if !slot && len(s.visits) >= s.cfg.Workers+s.cfg.Sessions {
			return next
		}
		s.startVisit(ctx, visits, c, slot)
	}
}

// reviewGiven makes sensors available again that gave their slot up, which it reports:
// after those that it was given up for had their choice. s.mu is held.
func (s *Scheduler) reviewGiven(now time.Time) bool {
	given := s.given
	s.given = nil
	for _, sn := range given {
		s.available(sn, now)
	}
	return len(given) > 0
}

// startVisit marks the sensor as ours and works on it; s.mu is held.
func (s *Scheduler) startVisit(ctx context.Context, visits *sync.WaitGroup, c order.Candidate, slot bool) {
	sn := c.Sensor
	sn.Busy, sn.Stale = true, false
	s.queue.Review(sn, s.cfg.Now())
	v := &visit{s: s, sensor: sn.Endpoint, wantsSlot: slot, poke: make(chan struct{}, 1)}
	v.ctx, v.cancel = context.WithCancelCause(ctx)
	s.visits[sn.Endpoint] = v
	if slot {
		s.sessions++
	}
	visits.Go(func() {
		v.work()
		v.cancel(nil)
		s.endVisit(v)
	})
}

// endVisit makes the sensor available again.
func (s *Scheduler) endVisit(v *visit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.settleSlot()
	delete(s.visits, v.sensor)
	sn := s.queue.Sensor(v.sensor)
	sn.Stale = false // a claim left behind waits for a beat: what failed now would fail again at once
	s.queue.SetAlarm(sn, sn.Rest)
	if v.giving != "" {
		s.backpressure.free()
		s.given = append(s.given, sn)
		s.log.Info().Str("endpoint", v.sensor.String()).Str("why", v.giving).Msg("slot given up")
	} else {
		s.available(sn, s.cfg.Now())
	}
	s.poke()
}

// available lets new visits to the sensor start; s.mu is held.
func (s *Scheduler) available(sn *order.Sensor, now time.Time) {
	sn.Busy = false
	s.queue.Review(sn, now)
	for _, e := range sn.Jobs {
		if s.desire(e, now) != nil {
			s.reconciler.add(e.ID)
		}
	}
}

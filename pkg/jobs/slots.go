package jobs

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
)

// Slots by need: a visit keeps its session while its slot is not wanted. When a job
// waits for a slot and none is free
//
//   - a session without work is given up, also when other clients use the reserve,
//   - a session that is still pending is given up for a job of higher priority,
//   - a job under way gives its slot up at the end of a step for one of higher priority,
//   - a sensor gives its slot up at the end of a job for one of higher priority than its
//     next, and for one of equal priority once it has had its turn, which is the session
//     for one interval between its check-ins, if the other sensor's is over as long.
//
// A step that runs is never ended for that.

// slots decides which visit has a session slot. It and its methods work on the board.
type slots struct {
	*board
	claims       *claims
	backpressure backpressure
	promised     int // slots given to visits that are not in the table yet; board.mu guards it
}

// tenure is a visit's hold on its slot. board.mu guards it.
type tenure struct {
	serves   *order.Entry // the job that the session is open or opened for; nil: none
	since    time.Time    // when the session was opened; zero: there is none
	idle     time.Time    // since when the session is idle; zero: it is in use
	withdraw func()       // ends the wait for a session that is pending; nil: none is
	giving   string       // why the slot is about to be free; empty: it is kept
}

// coming is how many slots are free or about to be: so many of the waiting jobs need no
// further one. Less than 0: other clients use the reserve. board.mu is held.
func (s *slots) coming(now time.Time) int {
	n, _ := s.freeSlots(now)
	if freed, limited := s.backpressure.limited(); limited {
		n = freed // the server has fewer slots for us than we think
	}
	for _, v := range s.visits {
		if v.slot && v.giving != "" {
			n++
		}
	}
	return n
}

// wanting returns the first job that waits for a slot which is neither free nor about
// to be, or nil. Idle sessions of other replicas are about to be free: those give them
// up by the same rule. board.mu is held.
func (s *slots) wanting(now time.Time) *order.Entry {
	if s.backpressure.failing() {
		return nil
	}
	n := s.coming(now)
	for _, c := range s.idleSessions(now) {
		if c.visit == nil {
			n++
		}
	}
	n = max(n, 0)
	if waiting := s.queue.Waiting(now, n+1, s.claims.elsewhere); len(waiting) > n {
		return waiting[n]
	}
	return nil
}

// idleSession is a claim whose session is idle.
type idleSession struct {
	epoch uint64
	visit *visit // nil: another replica's
}

// idleSessions lists the idle sessions of all replicas, in the order of their claims.
// board.mu is held.
func (s *slots) idleSessions(now time.Time) (all []idleSession) {
	for _, v := range s.visits {
		if v.slot && !v.idle.IsZero() && v.giving == "" {
			all = append(all, idleSession{v.epoch, v})
		}
	}
	for sensor, epoch := range s.claims.openElsewhere() {
		if sn := s.queue.Known(sensor); sn == nil || sn.Idle(now) {
			all = append(all, idleSession{epoch: epoch})
		}
	}
	slices.SortFunc(all, func(a, b idleSession) int { return cmp.Compare(a.epoch, b.epoch) })
	return all
}

// wakeIdle has visits with an idle session begin the jobs whose time has come.
// board.mu is held.
func (s *slots) wakeIdle(now time.Time) {
	for _, v := range s.visits {
		if !v.idle.IsZero() && s.queue.Head(s.queue.Sensor(v.sensor), now) != nil {
			signal(v.poke)
		}
	}
}

// giveUpIdle gives up as many idle sessions as slots are wanted: of all replicas' those
// with the oldest claims, and of ours those that have been idle for longest. board.mu is held.
func (s *slots) giveUpIdle(now time.Time) {
	idle := s.idleSessions(now)
	if len(idle) == 0 || s.backpressure.failing() {
		return
	}
	n := s.coming(now)
	waiting := len(s.queue.Waiting(now, len(idle)+max(n, 0), s.claims.elsewhere))
	why := "its session was idle, and a job waits for a slot"
	if waiting == 0 {
		why = "its session was idle, and other clients use the reserve"
	}
	need := max(min(waiting-n, len(idle)), 0)
	var ours []*visit
	theirs := 0
	for i, c := range idle {
		if c.visit != nil {
			ours = append(ours, c.visit)
		} else if i < need {
			theirs++
		}
	}
	slices.SortFunc(ours, func(a, b *visit) int { return a.idle.Compare(b.idle) })
	for _, v := range ours[:min(need-theirs, len(ours))] {
		v.giveUp(why)
	}
}

// giveUpPending gives up sessions that still wait for their sensor, for jobs of higher
// priority. board.mu is held.
func (s *slots) giveUpPending(now time.Time) {
	for {
		var last *visit
		for _, v := range s.visits {
			if v.withdraw != nil && v.giving == "" && (last == nil || v.serves.Behind(last.serves)) {
				last = v
			}
		}
		if last == nil {
			return
		}
		e := s.wanting(now)
		if e == nil || !s.queue.Precedes(e, last.serves, now) {
			return
		}
		last.giveUp(fmt.Sprintf("its session was pending, and job %s has a higher priority", e.ID))
	}
}

// giveUp has the visit end. board.mu is held.
func (v *visit) giveUp(why string) {
	v.giving = why
	if v.withdraw != nil {
		v.withdraw()
	}
	signal(v.poke)
}

// givesUpBefore reports whether the visit gives its slot up instead of beginning a job.
// board.mu is held.
func (v *visit) givesUpBefore(e *order.Entry, now time.Time) bool {
	if !v.slot || v.giving != "" {
		return v.giving != ""
	}
	q, first := v.d.queue, v.d.slots.wanting(now)
	switch {
	case first == nil:
	case q.Precedes(first, e, now):
		v.giveUp(fmt.Sprintf("job %s has a higher priority than the sensor's next one", first.ID))
	case v.hadTurn(now) && q.Waited(first.Sensor, now) && !q.Precedes(e, first, now):
		v.giveUp(fmt.Sprintf("the sensor had its turn, and job %s of equal priority waits", first.ID))
	}
	return v.giving != ""
}

// hadTurn reports whether the sensor has had its session for as long as it would wait
// for the next one. board.mu is held.
func (v *visit) hadTurn(now time.Time) bool {
	return !v.since.IsZero() && now.Sub(v.since) >= v.d.queue.Turn(v.d.queue.Sensor(v.sensor))
}

// GiveWay implements run.Place.
func (v *visit) GiveWay(id string) (why string, gives bool) {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	e, now := v.d.queue.Job(id), v.d.cfg.Now()
	if e == nil || !v.slot {
		return "", false
	}
	if first := v.d.slots.wanting(now); v.giving == "" && first != nil && v.d.queue.Interrupts(first, e, now) {
		v.giveUp(fmt.Sprintf("job %s on %s has a higher priority", first.ID, first.Sensor.Endpoint))
	}
	return v.giving, v.giving != ""
}

// hold keeps an idle session until there is work for it, which it reports, or its slot
// is wanted, or it has been idle for Config.Idle.
func (v *visit) hold() bool {
	if v.session == nil {
		return false
	}
	v.setIdle(v.d.cfg.Now())
	defer v.setIdle(time.Time{})
	v.d.poke() // the slot may be wanted
	var enough <-chan time.Time
	if v.d.cfg.Idle > 0 {
		timer := time.NewTimer(v.d.cfg.Idle)
		defer timer.Stop()
		enough = timer.C
	}
	for !v.over() {
		if v.next() != nil {
			return true
		}
		select {
		case <-v.poke:
		case <-enough:
			return false
		case <-v.session.gone:
			return false
		case <-v.ctx.Done():
			return false
		}
	}
	return false
}

func (v *visit) setIdle(since time.Time) {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	v.idle, v.serves = since, nil
}

// over reports whether the visit is to end.
func (v *visit) over() bool {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	return v.d.stopping || v.giving != "" || !v.d.mayBegin()
}

// nextSlot returns the rule by which the next slot becomes free for a job. board.mu is held.
func (s *slots) nextSlot(e *order.Entry, now time.Time) string {
	below, equal := 0, 0
	var turn time.Time
	for _, v := range s.visits {
		switch {
		case v.slot && v.giving != "":
			return "one is being given up: " + v.giving
		case !v.slot || v.serves == nil:
		case s.queue.Precedes(e, v.serves, now):
			below++
		case !s.queue.Precedes(v.serves, e, now) && !v.since.IsZero():
			equal++
			turn = order.Earliest(turn, v.since.Add(s.queue.Turn(v.serves.Sensor)))
		}
	}
	switch {
	case below > 0:
		return fmt.Sprintf("the first of %d jobs of lower priority whose step ends gives its slot up", below)
	case equal > 0:
		return fmt.Sprintf("the first of %d sensors with jobs of equal priority gives its slot up at the end of a job from %s on", equal, turn.UTC().Format(time.RFC3339))
	}
	if s.claims.slots() == 0 {
		return "none of them is ours"
	}
	return "it is free when the work on a sensor ends"
}

// others says how many of the slots other clients of the server hold; "": none.
func (s *slots) others() string {
	s.backpressure.mu.Lock()
	defer s.backpressure.mu.Unlock()
	if s.backpressure.foreign == 0 {
		return ""
	}
	return fmt.Sprintf("; other clients hold %d of %d sessions", s.backpressure.foreign, s.cfg.Sessions)
}

// openElsewhere are the sensors on which other replicas that live have a session that
// runs no function, with the epoch of the claim.
func (c *claims) openElsewhere() map[edr.Endpoint]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := map[edr.Endpoint]uint64{}
	for sensor, cl := range c.table.Claims {
		if cl.Owner != c.owner && cl.Session != "" && cl.Job == "" && !c.left(sensor, cl) {
			open[sensor] = cl.Epoch
		}
	}
	return open
}

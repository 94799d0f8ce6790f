package jobs

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
)

// Explanation is the reason for a job's present state.
type Explanation struct {
	Job    *Job      `json:"job"`
	Reason Reason    `json:"reason,omitempty"` // what it waits for
	Detail string    `json:"detail,omitempty"` // for people
	Place  int       `json:"place,omitempty"`  // in its sensor's line, from 1
	Behind string    `json:"behind,omitempty"` // the job before it in that line
	Ahead  int       `json:"ahead,omitempty"`  // sensors that get a slot before it, where it waits for one
	Next   time.Time `json:"next,omitzero"`    // when that may change by itself
}

// Explain returns why a job waits, its position in the queue, and the condition that
// ends the wait; for an ended job, the reason of its end.
func (s *Scheduler) Explain(ctx context.Context, id string) (Explanation, error) {
	j, err := s.Get(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.queue.Job(id)
	if e == nil || j.State.Terminal() || j.State == Running {
		return x, nil
	}
	for i, other := range e.Sensor.Jobs {
		if other == e {
			x.Place = i + 1
			if i > 0 {
				x.Behind = e.Sensor.Jobs[i-1].ID
			}
		}
	}
	if j.State == Held {
		x.Next = order.Earliest(e.Answer, e.Deadline)
		if down := s.down(); j.Reason == ReasonFactPending && down != "" {
			x.Detail += "; " + down
		}
		return x, nil
	}
	s.explainWaiting(&x, e, s.cfg.Now())
	if x.Reason == ReasonSlot {
		x.Ahead = s.queue.Ahead(e, s.cfg.Now())
		x.Detail += fmt.Sprintf("; %d sensors come first", x.Ahead)
	}
	return x, nil
}

// Reasons returns what each job of a list waits for, without its position.
func (s *Scheduler) Reasons(list []*Job) []Explanation {
	all := make([]Explanation, len(list))
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := range list {
		all[i] = Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
		if e := s.queue.Job(j.ID); e != nil && (j.State == Queued || j.State == Parked) {
			s.explainWaiting(&all[i], e, now)
		}
	}
	return all
}

// explainWaiting finds the first thing that keeps a queued or parked job from
// running; s.mu is held.
func (s *Scheduler) explainWaiting(x *Explanation, e *order.Entry, now time.Time) {
	sn := e.Sensor
	because := func(r Reason, next time.Time, format string, args ...any) {
		x.Reason, x.Detail, x.Next = r, fmt.Sprintf(format, args...), next
	}
	head, halted, down := s.queue.Head(sn, now), s.halted(), s.down()
	free, until := s.slots.freeSlots(now)
	switch {
	case halted != "":
		because(ReasonPaused, time.Time{}, "nothing is started now: %s", halted)
	case !s.ready:
		because(ReasonBus, time.Time{}, "the job records are being read")
	case e.Wake.After(now):
		x.Next = e.Wake // its own reason, as recorded
	case down != "":
		because(ReasonServer, time.Time{}, "%s", down)
	case sn.Pause.After(now):
		because(sn.Paused.Reason, sn.Pause, "nothing is done on sensor %s before %s: %s", sn.Endpoint, sn.Pause.UTC().Format(time.RFC3339), sn.Paused.Detail)
	case sn.Read.IsZero() && e.Session && s.poller.unreadable != "":
		because(ReasonServer, time.Time{}, "the sensor's state cannot be read: %s", s.poller.unreadable)
	case sn.Read.IsZero() && e.Session:
		because(ReasonUnknownState, time.Time{}, "the sensor's state is being read")
	case e.Session && !sn.Offline.IsZero():
		because(ReasonOffline, e.Deadline, "sensor %s has been offline since %s", sn.Endpoint, sn.Offline.UTC().Format(time.RFC3339))
	case e.Session && sn.Rest.After(now):
		because(sn.Why, sn.Rest, "no session on sensor %s before %s", sn.Endpoint, sn.Rest.UTC().Format(time.RFC3339))
	case e.Session && !sn.Busy && sn.SessionFrom(now).After(now):
		because(ReasonCheckin, sn.SessionFrom(now), "sensor %s checks in at about %s", sn.Endpoint, now.Add(sn.Checkin(now)).UTC().Format(time.RFC3339))
	case s.queue.GroupRuns(e.Group):
		because(ReasonGroup, time.Time{}, "a job of group %q runs", e.Group)
	case head != nil && head != e:
		because(ReasonOrder, time.Time{}, "job %s comes first on sensor %s", head.ID, sn.Endpoint)
	case sn.Busy && e.Session:
		because(ReasonPending, sn.Info.NextCheckin, "the session waits for the check-in of sensor %s", sn.Endpoint)
	case s.claims.elsewhere(sn.Endpoint):
		because(ReasonOrder, time.Time{}, "another replica works on sensor %s", sn.Endpoint)
	case !until.IsZero():
		because(ReasonServer, until, "the EDR server refuses sessions: %s", s.slots.backpressure.reason())
	case e.Session && free <= 0:
		because(ReasonSlot, time.Time{}, "every session slot is taken; %s%s", s.slots.nextSlot(e, now), s.slots.others())
	default:
		because("", time.Time{}, "it starts now")
	}
}

func (p *backpressure) reason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// Wait waits until a job has ended and returns it.
func (s *Scheduler) Wait(ctx context.Context, id string) (*Job, error) {
	for {
		ended := make(chan struct{})
		s.mu.Lock()
		s.waiters[id] = append(s.waiters[id], ended)
		s.mu.Unlock()
		j, err := s.Get(ctx, id)
		if err != nil || j.State.Terminal() {
			return j, err
		}
		select {
		case <-ended:
		case <-s.finished:
			return j, ErrLost
		case <-ctx.Done():
			return j, context.Cause(ctx)
		}
	}
}

// Stats is a picture of the scheduler for metrics and dashboards.
type Stats struct {
	Jobs     map[State]int          `json:"jobs"`    // live ones
	Waiting  map[Reason]int         `json:"waiting"` // by recorded reason
	Sensors  int                    `json:"sensors"` // with live jobs
	Working  int                    `json:"working"` // sensors this replica works on
	Slots    int                    `json:"slots"`   // held by all replicas
	Limit    int                    `json:"limit"`
	Foreign  int                    `json:"foreign"` // sessions of other clients
	Paused   string                 `json:"paused,omitempty"`
	Refusing string                 `json:"refusing,omitempty"` // why the server gives no sessions now
	Claims   map[edr.Endpoint]Claim `json:"claims"`
}

// Stats counts what there is.
func (s *Scheduler) Stats() Stats {
	st := Stats{Limit: s.cfg.Sessions}
	t, _ := s.claims.current()
	st.Claims, st.Slots = t.Claims, t.Slots()
	s.slots.backpressure.mu.Lock()
	st.Foreign, st.Refusing = s.slots.backpressure.foreign, s.slots.backpressure.why
	s.slots.backpressure.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.queue.Count()
	st.Jobs, st.Waiting, st.Sensors = of.States, of.Reasons, of.Sensors
	st.Working, st.Paused = len(s.visits), s.halted()
	return st
}

// Sensor returns what the scheduler last read of a sensor; ok tells whether it
// has read it and jobs still wait for it.
func (s *Scheduler) Sensor(id edr.Endpoint) (info edr.Sensor, read time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.queue.Known(id)
	if sn == nil || sn.Read.IsZero() {
		return edr.Sensor{}, time.Time{}, false
	}
	return sn.Info, sn.Read, !sn.Missing
}

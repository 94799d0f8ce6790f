package jobs

import (
	"context"
	"fmt"
	"maps"
	"time"

	"edrpipe/pkg/edr"
)

// Explanation says why a job is where it is.
type Explanation struct {
	Job    *Job      `json:"job"`
	Reason Reason    `json:"reason,omitempty"` // what it waits for
	Detail string    `json:"detail,omitempty"` // for people
	Place  int       `json:"place,omitempty"`  // in its sensor's line, from 1
	Behind string    `json:"behind,omitempty"` // the job before it in that line
	Ahead  int       `json:"ahead,omitempty"`  // sensors that get a slot before it, where it waits for one
	Next   time.Time `json:"next,omitzero"`    // when that may change by itself
}

// Explain tells why a job waits, where it stands in line, and what will move it.
// Of a job that ended it gives the reason of its end.
func (s *Scheduler) Explain(ctx context.Context, id string) (Explanation, error) {
	j, err := s.Get(ctx, id)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.queue.jobs[id]
	if e == nil || j.State.Terminal() || j.State == Running {
		return x, nil
	}
	for i, other := range e.sensor.jobs {
		if other == e {
			x.Place = i + 1
			if i > 0 {
				x.Behind = e.sensor.jobs[i-1].id
			}
		}
	}
	if j.State == Held {
		x.Next = earliest(e.answer, e.deadline)
		return x, nil
	}
	s.explainWaiting(&x, e, s.cfg.Now())
	if x.Reason == ReasonSlot {
		x.Ahead = s.ahead(e, s.cfg.Now())
		x.Detail += fmt.Sprintf("; %d sensors come first", x.Ahead)
	}
	return x, nil
}

// Reasons tells what each job of a list waits for, without its place in line.
func (s *Scheduler) Reasons(list []*Job) []Explanation {
	all := make([]Explanation, len(list))
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, j := range list {
		all[i] = Explanation{Job: j, Reason: j.Reason, Detail: j.Detail, Next: j.WakeAt}
		if e := s.queue.jobs[j.ID]; e != nil && (j.State == Queued || j.State == Parked) {
			s.explainWaiting(&all[i], e, now)
		}
	}
	return all
}

// explainWaiting finds the first thing that keeps a queued or parked job from
// running; s.mu is held.
func (s *Scheduler) explainWaiting(x *Explanation, e *entry, now time.Time) {
	sn := e.sensor
	because := func(r Reason, next time.Time, format string, args ...any) {
		x.Reason, x.Detail, x.Next = r, fmt.Sprintf(format, args...), next
	}
	head, halted := s.queue.head(sn, now), s.halted()
	free, until := s.freeSlots(now)
	switch {
	case halted != "":
		because(ReasonPaused, time.Time{}, "nothing is started now: %s", halted)
	case !s.ready:
		because(ReasonBus, time.Time{}, "the job records are being read")
	case e.wake.After(now):
		x.Next = e.wake // its own reason, as recorded
	case sn.pause.After(now):
		because(sn.paused.reason, sn.pause, "nothing is done on sensor %d before %s: %s", sn.id, sn.pause.UTC().Format(time.RFC3339), sn.paused.detail)
	case sn.read.IsZero() && e.session:
		because(ReasonUnknownState, time.Time{}, "the sensor's state is being read")
	case e.session && !sn.offline.IsZero():
		because(ReasonOffline, e.deadline, "sensor %d has been offline since %s", sn.id, sn.offline.UTC().Format(time.RFC3339))
	case e.session && sn.rest.After(now):
		because(sn.why, sn.rest, "no session on sensor %d before %s", sn.id, sn.rest.UTC().Format(time.RFC3339))
	case e.session && !sn.busy && sn.sessionFrom(now).After(now):
		because(ReasonCheckin, sn.sessionFrom(now), "sensor %d checks in at about %s", sn.id, now.Add(sn.checkin(now)).UTC().Format(time.RFC3339))
	case s.queue.groupRuns(e.group):
		because(ReasonGroup, time.Time{}, "a job of group %q runs", e.group)
	case head != nil && head != e:
		because(ReasonOrder, time.Time{}, "job %s comes first on sensor %d", head.id, sn.id)
	case sn.busy && e.session:
		because(ReasonPending, sn.info.NextCheckin, "the session waits for the check-in of sensor %d", sn.id)
	case s.claims.elsewhere(sn.id):
		because(ReasonOrder, time.Time{}, "another replica works on sensor %d", sn.id)
	case !until.IsZero():
		because(ReasonServer, until, "the EDR server refuses sessions: %s", s.pressure.reason())
	case e.session && free <= 0:
		because(ReasonSlot, time.Time{}, "every session slot is taken")
	default:
		because("", time.Time{}, "it starts now")
	}
}

func (p *pressure) reason() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// ahead counts the sensors that get a slot before the job's; s.mu is held.
func (s *Scheduler) ahead(e *entry, now time.Time) int {
	s.queue.settle(now)
	own := s.queue.candidate(e.sensor, e, now)
	n := 0
	for _, t := range s.queue.ranking.sessions {
		for _, b := range t.benches {
			for _, sn := range b.sensors {
				if sn != e.sensor && s.queue.candidate(sn, sn.place.job, now).before(own, now) {
					n++
				}
			}
		}
	}
	return n
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
	Jobs     map[State]int  `json:"jobs"`    // live ones
	Waiting  map[Reason]int `json:"waiting"` // by recorded reason
	Sensors  int            `json:"sensors"` // with live jobs
	Working  int            `json:"working"` // sensors this replica works on
	Slots    int            `json:"slots"`   // held by all replicas
	Limit    int            `json:"limit"`
	Foreign  int            `json:"foreign"` // sessions of other clients
	Paused   string         `json:"paused,omitempty"`
	Refusing string         `json:"refusing,omitempty"` // why the server gives no sessions now
	Claims   map[int]Claim  `json:"claims"`
}

// Stats counts what there is.
func (s *Scheduler) Stats() Stats {
	st := Stats{Limit: s.cfg.Sessions}
	t, _ := s.claims.current()
	st.Claims, st.Slots = t.Claims, t.Slots()
	s.pressure.mu.Lock()
	st.Foreign, st.Refusing = s.pressure.foreign, s.pressure.why
	s.pressure.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.queue.census
	st.Jobs, st.Waiting, st.Sensors = maps.Clone(of.states), maps.Clone(of.reasons), of.sensors
	st.Working, st.Paused = len(s.visits), s.halted()
	return st
}

// Sensor returns what the scheduler last read of a sensor; ok tells whether it
// has read it and jobs still wait for it.
func (s *Scheduler) Sensor(id int) (info edr.Sensor, read time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.queue.sensors[id]
	if sn == nil || sn.read.IsZero() {
		return edr.Sensor{}, time.Time{}, false
	}
	return sn.info, sn.read, !sn.missing
}

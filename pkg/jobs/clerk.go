package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The clerk keeps the records of jobs that do not run in order: it parks and
// wakes them with their sensors, ends those that are cancelled, denied or too
// late, and publishes results that are still to be published.
type clerk struct {
	s    *Scheduler
	wake chan struct{}

	mu      sync.Mutex
	line    []string
	waiting map[string]bool      // in line
	delayed map[string]time.Time // to be put in line then
}

// clerks is how many records are worked on at once.
const clerks = 100

func newClerk(s *Scheduler) *clerk {
	return &clerk{s: s, wake: make(chan struct{}, clerks), waiting: map[string]bool{}, delayed: map[string]time.Time{}}
}

// add has jobs reviewed.
func (c *clerk) add(ids ...string) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	for _, id := range ids {
		if !c.waiting[id] {
			c.waiting[id] = true
			c.line = append(c.line, id)
		}
	}
	c.mu.Unlock()
	signal(c.wake)
}

// later has a job reviewed after a while, unless it is forgotten by then.
func (c *clerk) later(id string, d time.Duration) {
	c.mu.Lock()
	c.delayed[id] = time.Now().Add(d)
	c.mu.Unlock()
}

// forget drops a delayed review.
func (c *clerk) forget(id string) {
	c.mu.Lock()
	delete(c.delayed, id)
	c.mu.Unlock()
}

// work reviews until ctx ends.
func (c *clerk) work(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range clerks {
		workers.Go(func() {
			for {
				id, ok := c.take()
				if !ok {
					select {
					case <-c.wake:
						continue
					case <-ctx.Done():
						return
					}
				}
				if err := c.s.review(ctx, id); err != nil && ctx.Err() == nil {
					c.s.log.Warn().Err(err).Str("job", id).Msg("keeping the record")
					c.later(id, time.Second)
				}
			}
		})
	}
	for sleep(ctx, time.Second) == nil {
		c.add(c.due()...)
	}
}

func (c *clerk) take() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.line) == 0 {
		return "", false
	}
	id := c.line[0]
	c.line = c.line[1:]
	delete(c.waiting, id)
	if len(c.line) > 0 {
		signal(c.wake)
	}
	return id, true
}

func (c *clerk) due() (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for id, at := range c.delayed {
		if !at.After(now) {
			delete(c.delayed, id)
			ids = append(ids, id)
		}
	}
	return ids
}

// review brings a job's record to the state that it should be in.
func (s *Scheduler) review(ctx context.Context, id string) error {
	j, err := s.storeOf(id).Get(ctx, id)
	if errors.Is(err, ErrNoJob) {
		return nil
	}
	if err != nil {
		return err
	}
	if j.State.Terminal() {
		s.conclude(ctx, j)
		return nil
	}
	m, edit := s.due(ctx, j, s.cfg.Now())
	if m == nil {
		return nil
	}
	err = s.transition(ctx, j, *m, edit)
	if errors.Is(err, ErrConflict) {
		s.clerk.add(id)
		return nil
	}
	return err
}

// due is the transition that a job should make now, or nil.
func (s *Scheduler) due(ctx context.Context, j *Job, now time.Time) (*move, func(*Job)) {
	switch {
	case j.State == Running:
		return nil, nil // whoever runs it decides
	case j.Cancel != nil:
		return &move{to: Cancelled, reason: ReasonCancelled, detail: j.Cancel.String()}, nil
	case j.State == Held && j.decided(now):
		return j.decide(now)
	case !j.Deadline.IsZero() && !j.Deadline.After(now):
		return &move{to: Expired, reason: ReasonDeadline, detail: j.waitedFor()}, nil
	case j.Reason == ReasonChild && s.childEnded(ctx, j):
		return &move{to: Queued}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.queue.jobs[j.ID]; e != nil {
		if m := s.desire(e, now); m != nil && m.to != j.State { // the record may be newer than what we know
			return m, nil
		}
	}
	return nil, nil
}

func (r *Request) String() string {
	if r.Why == "" {
		return "by " + r.By
	}
	return fmt.Sprintf("by %s: %s", r.By, r.Why)
}

// waitedFor says what an expired job waited for.
func (j *Job) waitedFor() string {
	text := "waited since " + j.Created.UTC().Format(time.RFC3339)
	if j.Reason != "" {
		text += ", at last for: " + string(j.Reason)
	}
	if j.Detail != "" {
		text += " (" + j.Detail + ")"
	}
	return text
}

// desire is the state that a waiting job should be in for what is known of its
// sensor, or nil if it is in it. That a sensor rests is this replica's experience
// and not recorded: replicas would write against each other. s.mu is held.
func (s *Scheduler) desire(e *entry, now time.Time) *move {
	sn := e.sensor
	want := &move{to: Queued}
	switch {
	case e.state != Queued && e.state != Parked, sn.busy, e.wake.After(now), e.reason == ReasonChild:
		return nil
	case !e.deadline.IsZero() && !e.deadline.After(now):
		return &move{to: Expired, reason: ReasonDeadline}
	case sn.missing:
		return &move{to: Failed, reason: ReasonUnknownSensor, detail: "the EDR server does not know the sensor"}
	case !e.session, sn.read.IsZero():
		return nil
	case !sn.info.LiveResponse:
		return &move{to: Failed, reason: ReasonUnsupported, detail: "the sensor does not support Live Response"}
	case !sn.offline.IsZero():
		want = &move{to: Parked, reason: ReasonOffline, detail: "offline since " + sn.offline.UTC().Format(time.RFC3339)}
	case e.state == Parked && !sn.read.After(e.since):
		return nil // whoever parked it may know better: not before we have read the sensor again
	}
	if want.to == e.state { // parked for something else before: Explain tells what it waits for now
		return nil
	}
	return want
}

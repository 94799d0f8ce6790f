package jobs

import (
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
	"edrpipe/pkg/jobs/job"
)

// settleSensor passes what was learnt to the queue and the reconciler; b.mu is held.
func (b *board) settleSensor(sn *order.Sensor, now time.Time) {
	b.queue.Review(sn, now)
	for _, e := range sn.Jobs {
		if b.desire(e, now) != nil {
			b.reviews.add(e.ID)
		}
	}
	if v := b.visits[sn.Endpoint]; v != nil {
		signal(v.poke)
	}
	b.poke()
}

// reread marks a sensor to be read again before its next visit.
func (b *board) reread(id edr.Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue.Sensor(id).Read = time.Time{}
	signal(b.unread)
}

// available lets new visits to the sensor start; b.mu is held.
func (b *board) available(sn *order.Sensor, now time.Time) {
	sn.Busy = false
	b.queue.Review(sn, now)
	for _, e := range sn.Jobs {
		if b.desire(e, now) != nil {
			b.reviews.add(e.ID)
		}
	}
}

// desire is the state that a waiting job should be in for what is known of its
// sensor, or nil if it is in it. That a sensor rests is this replica's experience
// and not recorded: replicas would write against each other. b.mu is held.
func (b *board) desire(e *order.Entry, now time.Time) *job.Move {
	sn := e.Sensor
	want := &job.Move{To: Queued}
	switch {
	case e.State != Queued && e.State != Parked, sn.Busy, e.Wake.After(now), e.Reason == ReasonChild:
		return nil
	case !e.Deadline.IsZero() && !e.Deadline.After(now):
		return &job.Move{To: Expired, Reason: ReasonDeadline}
	case sn.Missing:
		return &job.Move{To: Failed, Reason: ReasonUnknownSensor, Detail: "the EDR server does not know the sensor"}
	case !e.Session, sn.Read.IsZero():
		return nil
	case !sn.Info.LiveResponse:
		return &job.Move{To: Failed, Reason: ReasonUnsupported, Detail: "the sensor does not support Live Response"}
	case !sn.Offline.IsZero():
		want = &job.Move{To: Parked, Reason: ReasonOffline, Detail: "offline since " + sn.Offline.UTC().Format(time.RFC3339)}
	case e.State == Parked && !sn.Read.After(e.Since):
		return nil // whoever parked it may know better: not before we have read the sensor again
	}
	if want.To == e.State { // parked for something else before: Explain tells what it waits for now
		return nil
	}
	return want
}

// rest keeps sessions off a sensor for a while.
func (b *board) rest(sensor edr.Endpoint, why Reason, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sn := b.queue.Sensor(sensor)
	sn.Rest, sn.Why = b.cfg.Now().Add(d), why
	b.queue.SetAlarm(sn, sn.Rest)
}

// holdOff keeps everything off a sensor for a while. Its jobs keep their order
// that way, where a job that waited by itself would let others pass.
func (b *board) holdOff(sensor edr.Endpoint, why Reason, err error, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sn := b.queue.Sensor(sensor)
	sn.Pause, sn.Paused = b.cfg.Now().Add(d), job.Move{Reason: why, Detail: err.Error()}
}

// snooze has a job passed over for a while.
func (b *board) snooze(id string, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.queue.Job(id); e != nil {
		e.Wake = b.cfg.Now().Add(d)
		b.queue.SetAlarm(e.Sensor, e.Wake)
	}
}

func (b *board) drop(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue.Remove(id, b.cfg.Now())
}

func (b *board) charge(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.queue.Job(id); e != nil {
		b.queue.Charge(e)
	}
}

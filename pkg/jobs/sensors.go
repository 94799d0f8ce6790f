package jobs

import (
	"context"
	"errors"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/order"
)

// fewSensors is up to how many sensors are read one by one; more are read in one
// paged query for all.
const fewSensors = 3

// poll keeps what is known of the sensors that jobs wait for: all of them once
// per interval, and new ones at once.
func (s *Scheduler) poll(ctx context.Context) {
	failures := 0
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			all = true
		case <-s.unread:
		}
		err := s.readSensors(ctx, s.toRead(all))
		s.noteReading(ctx, err)
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("reading sensors")
			if pace.Sleep(ctx, pace.Backoff(firstPause, failures, s.cfg.Poll)) != nil {
				return
			}
			failures++
			signal(s.unread)
		} else {
			failures = 0
		}
	}
}

// noteReading records whether sensors could be read, for the explanation of waiting jobs.
func (s *Scheduler) noteReading(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreadable = ""
	if err != nil {
		s.unreadable = err.Error()
	}
}

// toRead lists the sensors to read: those never read, or all that jobs wait for.
func (s *Scheduler) toRead(all bool) (ids []edr.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	s.queue.Forget(now.Add(-2 * s.cfg.Poll))
	for sn := range s.queue.Sensors() {
		if len(sn.Jobs) > 0 && (sn.Read.IsZero() || (all && !sn.Busy && now.Sub(sn.Read) > s.cfg.Poll/2)) {
			ids = append(ids, sn.Endpoint)
		}
	}
	return ids
}

func (s *Scheduler) readSensors(ctx context.Context, ids []edr.Endpoint) error {
	if len(ids) <= fewSensors {
		for _, id := range ids {
			if err := s.readSensor(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := s.cfg.Server.Sensors(ctx, edr.SensorQuery{})
	if err != nil {
		return err
	}
	known := make(map[string]edr.Sensor, len(all))
	for _, sensor := range all {
		known[sensor.ID] = sensor
	}
	for _, id := range ids {
		if sensor, ok := known[id.ID]; ok {
			s.learn(id, sensor)
		} else if err := s.readSensor(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// readWithin bounds the reading of one sensor; a hanging server is retried later.
const readWithin = 20 * time.Second

func (s *Scheduler) readSensor(ctx context.Context, id edr.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	sensor, err := s.cfg.Server.Sensor(ctx, id.ID)
	if errors.Is(err, edr.ErrUnknownSensor) {
		s.learnMissing(id)
		return nil
	}
	if err != nil {
		return err
	}
	s.learn(id, sensor)
	return nil
}

// reread marks a sensor to be read again before its next visit.
func (s *Scheduler) reread(id edr.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.Sensor(id).Read = time.Time{}
	signal(s.unread)
}

// learn takes over the server's record of a sensor.
func (s *Scheduler) learn(id edr.Endpoint, info edr.Sensor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	sn := s.queue.Sensor(id)
	returned := !sn.Offline.IsZero() && info.Online
	sn.Info, sn.Read, sn.Missing = info, now, false
	switch {
	case info.Online:
		sn.Offline = time.Time{}
	case sn.Offline.IsZero() && !info.LastCheckin.IsZero():
		sn.Offline = info.LastCheckin
	case sn.Offline.IsZero():
		sn.Offline = now
	}
	if returned {
		sn.Rest, sn.Failures = time.Time{}, 0
	}
	s.settleSensor(sn, now)
}

// learnMissing records that the server has no such sensor.
func (s *Scheduler) learnMissing(id edr.Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := s.queue.Sensor(id)
	sn.Read, sn.Missing = s.cfg.Now(), true
	s.settleSensor(sn, sn.Read)
}

// settleSensor passes what was learnt to the queue and the reconciler; s.mu is held.
func (s *Scheduler) settleSensor(sn *order.Sensor, now time.Time) {
	s.queue.Review(sn, now)
	for _, e := range sn.Jobs {
		if s.desire(e, now) != nil {
			s.reconciler.add(e.ID)
		}
	}
	if v := s.visits[sn.Endpoint]; v != nil {
		signal(v.poke)
	}
	s.poke()
}

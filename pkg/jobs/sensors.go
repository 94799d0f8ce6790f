package jobs

import (
	"context"
	"errors"
	"time"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
)

// fewSensors is up to how many sensors are read one by one; more are read in one
// paged query for all.
const fewSensors = 3

// A poller reads the sensors that jobs wait for.
type poller struct {
	*board
	// unreadable is why sensors could not be read when that was last tried; "" when they
	// could. board.mu guards it.
	unreadable string
}

// poll keeps what is known of the sensors that jobs wait for: all of them once
// per interval, and new ones at once.
func (p *poller) poll(ctx context.Context) {
	failures := 0
	tick := time.NewTicker(p.cfg.Poll)
	defer tick.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			all = true
		case <-p.unread:
		}
		err := p.readSensors(ctx, p.toRead(all))
		p.noteReading(ctx, err)
		if err != nil && ctx.Err() == nil {
			p.log.Warn().Err(err).Msg("reading sensors")
			if pace.Sleep(ctx, pace.Backoff(firstPause, failures, p.cfg.Poll)) != nil {
				return
			}
			failures++
			signal(p.unread)
		} else {
			failures = 0
		}
	}
}

// noteReading records whether sensors could be read, for the explanation of waiting jobs.
func (p *poller) noteReading(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unreadable = ""
	if err != nil {
		p.unreadable = err.Error()
	}
}

// toRead lists the sensors to read: those never read, or all that jobs wait for.
func (p *poller) toRead(all bool) (ids []edr.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	p.queue.Forget(now.Add(-2 * p.cfg.Poll))
	for sn := range p.queue.Sensors() {
		if len(sn.Jobs) > 0 && (sn.Read.IsZero() || (all && !sn.Busy && now.Sub(sn.Read) > p.cfg.Poll/2)) {
			ids = append(ids, sn.Endpoint)
		}
	}
	return ids
}

func (p *poller) readSensors(ctx context.Context, ids []edr.Endpoint) error {
	if len(ids) <= fewSensors {
		for _, id := range ids {
			if err := p.readSensor(ctx, id); err != nil {
				return err
			}
		}
		return nil
	}
	all, err := p.cfg.Server.Sensors(ctx, edr.SensorQuery{})
	if err != nil {
		return err
	}
	known := make(map[string]edr.Sensor, len(all))
	for _, sensor := range all {
		known[sensor.ID] = sensor
	}
	for _, id := range ids {
		if sensor, ok := known[id.ID]; ok {
			p.learn(id, sensor)
		} else if err := p.readSensor(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// readWithin bounds the reading of one sensor; a hanging server is retried later.
const readWithin = 20 * time.Second

func (p *poller) readSensor(ctx context.Context, id edr.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	sensor, err := p.cfg.Server.Sensor(ctx, id.ID)
	if errors.Is(err, edr.ErrUnknownSensor) {
		p.learnMissing(id)
		return nil
	}
	if err != nil {
		return err
	}
	p.learn(id, sensor)
	return nil
}

// learn takes over the server's record of a sensor.
func (p *poller) learn(id edr.Endpoint, info edr.Sensor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	sn := p.queue.Sensor(id)
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
	p.settleSensor(sn, now)
}

// learnMissing records that the server has no such sensor.
func (p *poller) learnMissing(id edr.Endpoint) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sn := p.queue.Sensor(id)
	sn.Read, sn.Missing = p.cfg.Now(), true
	p.settleSensor(sn, sn.Read)
}

package run

import (
	"context"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
)

// Facts gives a sensor what is known now of an endpoint, over what its events said. now
// is what the server just said of it; without an id: nothing.
type Facts func(ctx context.Context, e edr.Endpoint, now edr.Sensor, s *events.Sensor)

// knowing is the job's event with the facts of its endpoint as they are known now: they
// may have arrived, or changed, since the event did.
func (x *Execution) knowing(ctx context.Context) *events.Event {
	x.mu.Lock()
	j := *x.job
	x.mu.Unlock()
	info, read := x.place.Info()
	if x.cfg.Now().Sub(read) >= time.Minute {
		info = edr.Sensor{}
	}
	return Knowing(ctx, x.cfg.Facts, &j, info)
}

// Knowing is a job's event with the facts of its endpoint. A job without an event, and
// one of an event of several endpoints, sees the facts of the endpoint that it acts on.
// now is what the server just said of that.
func Knowing(ctx context.Context, facts Facts, j *job.Job, now edr.Sensor) *events.Event {
	if facts == nil || j.Endpoint.ID == "" {
		return j.Event
	}
	var e events.Event
	if j.Event != nil {
		e = *j.Event // its parts are shared and not changed
	} else {
		e.Sensor.ID, e.Sensor.Hostname = j.Endpoint.ID, j.Host
	}
	about := j.Endpoint
	if e.Sensor.ID != "" {
		about.ID = e.Sensor.ID
	}
	if about != j.Endpoint {
		now = edr.Sensor{}
	}
	facts(ctx, about, now, &e.Sensor)
	return &e
}

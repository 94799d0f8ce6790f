package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/internal/telemetry"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// maxBatch is how many messages are recorded together: one atomic write for all
// their jobs, and one wait for the disk.
const maxBatch = 100

// intake turns messages into recorded jobs. A message is settled only when every
// match in it is a stored job, or is known to make none. Rules are asked where the
// message was read, so that the many in which they find nothing go no further.
type intake struct {
	rules      *ruleset
	correlator *rules.Correlator
	suppressor *rules.Suppressor
	guard      *guard.Guard
	audit      *audit.Log
	scheduler  *jobs.Scheduler
	sensors    *resolver
	dead       *jetstream.DeadLetters
	notices    notices
	metrics    *telemetry.Metrics
	tracing    *telemetry.Tracing
	now        func() time.Time // all replicas'
	log        zerolog.Logger

	queue    chan finding
	room     *room
	messages sync.Pool // of *events.Message, to be matched
}

// handle gives the intake a message; it blocks while the intake has enough to do
// or the disk no room.
func (in *intake) handle(ctx context.Context, m events.Message) error {
	if err := in.room.wait(ctx); err != nil {
		return err
	}
	f := in.find(m)
	if len(f.found.Matches)+len(f.found.Failures)+len(f.found.Rejects) == 0 {
		settle(m, nil)
		return nil
	}
	select {
	case in.queue <- f:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run works until the queue is closed, which its owner does once all sources
// have ended. ctx bounds the last writes.
func (in *intake) run(ctx context.Context) {
	for f := range in.queue {
		batch := []finding{f}
	more:
		for len(batch) < maxBatch {
			select {
			case f, open := <-in.queue:
				if !open {
					break more
				}
				batch = append(batch, f)
			default:
				break more
			}
		}
		in.record(ctx, batch)
	}
}

// record makes and records the jobs of a batch and settles each message.
func (in *intake) record(ctx context.Context, batch []finding) {
	in.metrics.Batches.Observe(float64(len(batch)))
	var (
		wanted []*jobs.Job
		good   []events.Message
		known  = map[string]bool{}
	)
	for i := range batch {
		m := &batch[i].msg
		made, err := in.made(ctx, &batch[i])
		if err != nil {
			in.log.Error().Err(err).Str("key", m.RoutingKey).Msg("message goes back and is tried again")
			settle(*m, err)
			continue
		}
		good = append(good, *m)
		for _, j := range made {
			if !known[j.ID] {
				known[j.ID] = true
				wanted = append(wanted, j)
			}
		}
	}
	err := in.enqueue(ctx, wanted)
	if err != nil {
		in.log.Error().Err(err).Int("jobs", len(wanted)).Msg("jobs could not be recorded; their messages are tried again")
	}
	for _, m := range good {
		settle(m, err)
	}
}

func settle(m events.Message, err error) {
	if m.Settle != nil {
		m.Settle(err)
	}
}

func (in *intake) enqueue(ctx context.Context, wanted []*jobs.Job) error {
	for len(wanted) > 0 {
		n := min(len(wanted), maxBatch)
		if _, err := in.scheduler.Enqueue(ctx, wanted[:n]...); err != nil {
			return err
		}
		now, told := in.now(), map[string]bool{}
		for _, j := range wanted[:n] {
			telemetry.Since(in.metrics.EventToJob, j.Event.Event.Received, now)
			if id := j.Event.Event.ID; !told[id] {
				told[id] = true
				in.tracing.Recorded(j.Event, now)
			}
		}
		wanted = wanted[n:]
	}
	return nil
}

// made are the jobs that what was found in a message should make. What can never
// be used is kept as a dead letter; an error means that nothing was decided.
func (in *intake) made(ctx context.Context, f *finding) ([]*jobs.Job, error) {
	m := &f.msg
	for _, r := range f.found.Rejects {
		if err := in.reject(ctx, m, r); err != nil {
			return nil, err
		}
	}
	matches, failures, err := in.correlate(ctx, f.set, f.found.Matches)
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	for _, failure := range append(f.found.Failures, failures...) {
		if err := in.failed(ctx, m, failure); err != nil {
			return nil, err
		}
	}
	var made []*jobs.Job
	for i := range matches {
		js, err := in.jobs(ctx, f.set, &matches[i])
		var failure rules.Failure
		switch {
		case errors.As(err, &failure):
			err = in.failed(ctx, m, failure)
		case err == nil:
			made = append(made, js...)
		}
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

// correlate gives the matches to act on, event by event.
func (in *intake) correlate(ctx context.Context, set *rules.Set, all []rules.Match) (matches []rules.Match, failures []rules.Failure, err error) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Event == all[0].Event {
			n++
		}
		m, f, err := in.correlator.Correlate(ctx, set, all[:n])
		if err != nil {
			return nil, nil, err
		}
		matches, failures, all = append(matches, m...), append(failures, f...), all[n:]
	}
	return matches, failures, nil
}

// reject keeps a part that gave no event.
func (in *intake) reject(ctx context.Context, m *events.Message, r *events.Reject) error {
	in.metrics.Rejects.WithLabelValues(string(r.Reason)).Inc()
	if r.Harmless() {
		return nil
	}
	in.log.Warn().Str("reason", string(r.Reason)).Err(r).Str("transport", m.Transport).Msg("input that cannot be used is kept as a dead letter")
	part := *m
	part.Body = r.Data
	return in.dead.Write(ctx, string(r.Reason), part, r)
}

// failed keeps the message of an evaluation that failed: its author has to see it.
func (in *intake) failed(ctx context.Context, m *events.Message, f rules.Failure) error {
	in.metrics.Errors.WithLabelValues(f.Rule.ID).Inc()
	in.log.Error().Str("rule", f.Rule.ID).Str("event", f.Event).Err(f.Err).Msg("rule could not be evaluated")
	return in.dead.Write(ctx, "rule_failed", *m, f)
}

// jobs makes the jobs of a match, one for each sensor, and tells of each that is
// not made why.
func (in *intake) jobs(ctx context.Context, set *rules.Set, m *rules.Match) ([]*jobs.Job, error) {
	now := in.now()
	in.metrics.Matches.WithLabelValues(m.Rule.ID).Inc()
	in.rules.matched(m.Rule.ID, now)
	telemetry.Since(in.metrics.EventToMatch, m.Event.Event.Received, now)
	in.tracing.Matched(m.Event, m.Rule.ID, now)
	if m.Refused == rules.NoSensor {
		if err := in.sensors.find(ctx, m); err != nil {
			return nil, err
		}
	}
	if m.Refused != "" {
		return nil, in.decide(ctx, m, 0, m.Refused, "")
	}
	var made []*jobs.Job
	for _, sensor := range m.Sensors {
		j, err := in.job(ctx, set, m, sensor, now)
		if err != nil {
			return nil, err
		}
		if j == nil {
			continue
		}
		if err := in.guard.Took(ctx, m.Rule.ID); err != nil {
			return nil, fmt.Errorf("breaker of rule %s: %w", m.Rule.ID, err)
		}
		made = append(made, j)
	}
	return made, nil
}

// job makes the job of a match on a sensor; nil when something speaks against it.
func (in *intake) job(ctx context.Context, set *rules.Set, m *rules.Match, sensor int, now time.Time) (*jobs.Job, error) {
	j, err := bind(set, m, sensor, in.notices.server, now)
	if err != nil {
		return nil, err
	}
	if v := in.forbidden(j, m.Rule); v.Decision == guard.Deny {
		return nil, in.decide(ctx, m, sensor, string(v.Reason), v.Guard+": "+v.Detail)
	}
	j.Trace = in.tracing.Parent(m.Event)
	claim, err := in.suppressor.Claim(ctx, set, m, sensor, j.ID)
	if err != nil {
		return nil, err
	}
	if claim.Suppressed {
		detail := fmt.Sprintf("job %s acted for the same; again from %s", claim.By, claim.Until.UTC().Format(time.RFC3339))
		return nil, in.decide(ctx, m, sensor, "suppressed", detail)
	}
	drop, err := in.limit(ctx, m.Rule, j)
	if err != nil || drop == "" {
		return j, err
	}
	return nil, in.decide(ctx, m, sensor, "limit", drop)
}

// decide tells the bus and the audit log that a match made no job, and why.
func (in *intake) decide(ctx context.Context, m *rules.Match, sensor int, reason, detail string) error {
	in.metrics.Decisions.WithLabelValues(m.Rule.ID, reason).Inc()
	d := Decision{
		Job: jobs.ID(m.Rule.ID, m.Event.Event.ID, sensor), Rule: m.Rule.ID, Event: m.Event.Event.ID, Type: m.Event.Event.Type,
		Sensor: sensor, Host: m.Event.Sensor.Hostname, Reason: reason, Detail: detail, At: in.now(),
	}
	err := in.audit.Append(ctx, audit.Entry{
		Time: d.At, Kind: "decision", By: "intake", Rule: d.Rule, Digest: m.Rule.Digest, Job: d.Job, Server: in.notices.server, Sensor: sensor,
		What: "no job", Reason: reason, Text: detail,
	})
	if err != nil {
		return err
	}
	return in.notices.decision(ctx, d)
}

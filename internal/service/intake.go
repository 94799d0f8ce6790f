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
	var asked []*asking
	back := make([]error, len(batch)) // why a message is tried again
	for i := range batch {
		of, err := in.asked(ctx, &batch[i], i)
		asked, back[i] = append(asked, of...), err
	}
	in.decide(ctx, batch, asked, back)
	var (
		wanted []*jobs.Job
		known  = map[string]bool{}
	)
	for _, a := range asked {
		if back[a.message] == nil && a.makes() && !known[a.job.ID] {
			known[a.job.ID] = true
			wanted = append(wanted, a.job)
		}
	}
	err := in.enqueue(ctx, wanted)
	if err != nil {
		in.log.Error().Err(err).Int("jobs", len(wanted)).Msg("jobs could not be recorded; their messages are tried again")
	}
	for i, f := range batch {
		if back[i] != nil {
			in.log.Error().Err(back[i]).Str("key", f.msg.RoutingKey).Msg("message goes back and is tried again")
			settle(f.msg, back[i])
			continue
		}
		settle(f.msg, err)
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

// asked is what a message asks for by what was found in it. What can never be used
// is kept as a dead letter; an error means that nothing was decided.
func (in *intake) asked(ctx context.Context, f *finding, message int) ([]*asking, error) {
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
	var asked []*asking
	for i := range matches {
		of, err := in.asking(ctx, f.set, &matches[i])
		var failure rules.Failure
		if errors.As(err, &failure) {
			err = in.failed(ctx, m, failure)
		}
		if err != nil {
			return nil, err
		}
		for _, a := range of {
			a.message = message
		}
		asked = append(asked, of...)
	}
	return asked, nil
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

// Package intake turns messages into recorded jobs: it finds the rules that match, the
// sensors that are meant, and whether suppression, limits and guards let a job be made.
package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/fleet"
	"edrpipe/internal/looseid"
	"edrpipe/internal/notices"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/seal"
	"edrpipe/rules"
)

// maxBatch is how many messages are recorded together: one atomic write for all
// their jobs, and one wait for the disk.
const maxBatch = 100

// Config of an intake. All fields are needed, unless their comment says what zero means.
type Config struct {
	Rules    *Ruleset
	State    rules.State // of correlation and suppression
	Guard    *guard.Guard
	Audit    *audit.Log
	Fleet    *fleet.Fleet
	Dead     *jetstream.DeadLetters
	Notices  notices.Publisher
	Metrics  *telemetry.Metrics
	Tracing  *telemetry.Tracing
	Binaries Binaries                    // reads metadata of binaries; nil: it stays unknown
	Bounds   Bounds                      // of each endpoint; zero: none
	Keep     time.Duration               // how long correlations remember, see rules.Correlator; 0: 24 h
	Canary   *Canary                     // receives the outcome of its events; nil: none are sent
	Gate     func(context.Context) error // blocks while no new event may be taken
	Now      func() time.Time            // the clock that all replicas share
	Log      zerolog.Logger
}

// Binaries can have the metadata of an event's image read, without blocking.
type Binaries interface{ Want(e *events.Event) }

// Intake turns messages into recorded jobs. A message is settled only when every
// match in it is a stored job, or is known to make none. Rules are matched where the
// message was read, so that the many that match none go no further.
type Intake struct {
	Config
	correlator *rules.Correlator
	suppressor *rules.Suppressor
	sensors    *resolver
	queue      chan finding
	canaries   *rules.Matcher
	messages   sync.Pool // of *events.Message, to be matched
	bounded    bounded
}

// New makes an intake. Its owner calls Run, gives messages to Handle, and calls Close
// when all calls of Handle have returned.
func New(c Config) *Intake {
	return &Intake{
		Config:     c,
		correlator: &rules.Correlator{State: c.State, Keep: c.Keep, Now: c.Now, Several: c.Fleet.Sole() == ""},
		suppressor: &rules.Suppressor{State: c.State, Now: c.Now, Several: c.Fleet.Sole() == ""},
		sensors:    &resolver{fleet: c.Fleet}, queue: make(chan finding, maxBatch), canaries: canaryMatcher(),
	}
}

// Handle gives the intake a message; it blocks while the intake is busy or the gate
// is closed.
func (in *Intake) Handle(ctx context.Context, m events.Message) error {
	if err := in.Gate(ctx); err != nil {
		return err
	}
	var f finding
	if _, ok := jetstream.CanaryID(&m); ok {
		f = in.canary(m)
	} else if f = in.find(m); len(f.found.Matches)+len(f.found.Failures)+len(f.found.Rejects) == 0 && !f.waits {
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

// Close ends Run once everything that Handle took is recorded.
func (in *Intake) Close() { close(in.queue) }

// Run works until Close. ctx bounds the last writes.
func (in *Intake) Run(ctx context.Context) {
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
func (in *Intake) record(ctx context.Context, batch []finding) {
	in.Metrics.Batches.Observe(float64(len(batch)))
	var asked []*candidate
	back := make([]error, len(batch)) // why a message is tried again
	for i := range batch {
		refused, err := in.overrun(ctx, &batch[i])
		if err == nil {
			var of []*candidate
			of, err = in.candidatesOf(ctx, &batch[i], i)
			asked = append(asked, of...)
		}
		for _, a := range refused {
			a.message = i
		}
		asked, back[i] = append(asked, refused...), err
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
	if errors.Is(err, jobs.ErrTooLarge) {
		err = in.enqueue(ctx, in.fit(ctx, batch, asked, back))
	}
	if err != nil {
		in.Log.Error().Err(err).Int("jobs", len(wanted)).Msg("jobs could not be recorded; their messages are tried again")
	} else {
		defer in.settled(ctx, asked, back)
	}
	for i, f := range batch {
		if back[i] != nil {
			in.Log.Error().Err(back[i]).Str("key", f.msg.RoutingKey).Msg("message goes back and is tried again")
			settle(f.msg, back[i])
			continue
		}
		settle(f.msg, err)
		if err == nil {
			in.Canary.done(f.canary, f.broken)
		}
	}
}

func (in *Intake) enqueue(ctx context.Context, wanted []*jobs.Job) error {
	for len(wanted) > 0 {
		n := min(len(wanted), maxBatch)
		if err := in.noteJobs(ctx, wanted[:n]); err != nil {
			return err
		}
		if _, err := in.Fleet.Enqueue(ctx, wanted[:n]...); err != nil {
			return err
		}
		now, told := in.Now(), map[string]bool{}
		for _, j := range wanted[:n] {
			telemetry.Since(in.Metrics.EventToJob, j.Event.Event.Received, now)
			if id := j.Event.Event.ID; !told[id] {
				told[id] = true
				in.Tracing.Recorded(j.Event, now)
			}
		}
		wanted = wanted[n:]
	}
	return nil
}

// noteJobs writes into the audit log what is about to be recorded: no job is, before its
// entry is there. An event that comes again has one more entry.
func (in *Intake) noteJobs(ctx context.Context, js []*jobs.Job) error {
	var g errgroup.Group
	g.SetLimit(maxBatch)
	for _, j := range js {
		g.Go(func() error {
			return in.Audit.Append(ctx, audit.Entry{
				Time: in.Now(), Kind: "job", By: "intake", Job: j.ID, Rule: j.Rule, Digest: j.Digest, Server: j.Endpoint.Server, Sensor: looseid.ID(j.Endpoint.ID),
				What: "made", Reason: string(j.Reason), Text: j.Detail,
			})
		})
	}
	return g.Wait()
}

// candidatesOf are the jobs that the matches of a message may make. Input that can never
// be used is kept as a dead letter; an error means that nothing was decided.
func (in *Intake) candidatesOf(ctx context.Context, f *finding, message int) ([]*candidate, error) {
	m := &f.msg
	for _, r := range f.found.Rejects {
		if err := in.reject(ctx, m, r); err != nil {
			return nil, err
		}
	}
	waiting, err := in.pending(f)
	var failure rules.Failure
	if errors.As(err, &failure) {
		err = in.failed(ctx, m, failure)
	}
	if err != nil {
		return nil, err
	}
	ours, asked := in.ours(f)
	asked = append(asked, waiting...)
	matches, failures, err := in.correlate(ctx, f.set, ours)
	if err != nil {
		return nil, fmt.Errorf("correlate: %w", err)
	}
	for _, failure := range append(f.found.Failures, failures...) {
		if err := in.failed(ctx, m, failure); err != nil {
			return nil, err
		}
	}
	for _, a := range asked {
		a.message = message
	}
	for i := range matches {
		if matches[i].Refused == rules.StateForeign {
			err := fmt.Errorf("correlation of rule %s: %w", matches[i].Rule.ID, seal.ErrForeign)
			if err := in.unverified(ctx, m, err); err != nil {
				return nil, err
			}
		}
		of, err := in.candidates(ctx, f.set, &matches[i])
		var failure rules.Failure
		if errors.As(err, &failure) {
			err = in.failed(ctx, m, failure)
		}
		if err != nil {
			return nil, err
		}
		for _, a := range of {
			a.message = message
			if a.reason == rules.CorrelationLost {
				if err := in.keepBeyond(ctx, a, m); err != nil {
					return nil, err
				}
			}
		}
		asked = append(asked, of...)
	}
	return asked, nil
}

// correlate gives the matches to act on, event by event.
func (in *Intake) correlate(ctx context.Context, set *rules.Set, all []rules.Match) (matches []rules.Match, failures []rules.Failure, err error) {
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
func (in *Intake) reject(ctx context.Context, m *events.Message, r *events.Reject) error {
	in.Metrics.Rejects.WithLabelValues(string(r.Reason)).Inc()
	if r.Harmless() {
		return nil
	}
	in.Log.Warn().Str("reason", string(r.Reason)).Err(r).Str("transport", m.Transport).Msg("input that cannot be used is kept as a dead letter")
	part := *m
	part.Body = r.Data
	return in.Dead.Write(ctx, string(r.Reason), part, r)
}

// failed keeps the message of an evaluation that failed: its author has to see it.
func (in *Intake) failed(ctx context.Context, m *events.Message, f rules.Failure) error {
	in.Metrics.Errors.WithLabelValues(f.Rule.ID).Inc()
	in.Log.Error().Str("rule", f.Rule.ID).Str("event", f.Event).Err(f.Err).Msg("rule could not be evaluated")
	return in.Dead.Write(ctx, "rule_failed", *m, f)
}

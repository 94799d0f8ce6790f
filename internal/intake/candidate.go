package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"edrpipe/internal/looseid"
	"edrpipe/internal/notices"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// candidate is a job that a match may make on a sensor. Those of a batch are decided
// together: what many of them need of the bus is read at once.
type candidate struct {
	message  int // of the batch
	set      *rules.Set
	match    *rules.Match
	endpoint edr.Endpoint // zero: the match names none
	job      *jobs.Job

	pending bool // held until it can be decided whether the rule matches

	reason, detail string // why the job is not made; "": it is
}

// refuse records why the job is not made.
func (a *candidate) refuse(reason, format string, args ...any) {
	a.reason, a.detail = reason, fmt.Sprintf(format, args...)
}

// makes reports whether the job is made.
func (a *candidate) makes() bool { return a.job != nil && a.reason == "" }

// candidates are the jobs of a match, one for each sensor.
func (in *Intake) candidates(ctx context.Context, set *rules.Set, m *rules.Match) ([]*candidate, error) {
	now := in.Now()
	in.Metrics.Matches.WithLabelValues(m.Rule.ID).Inc()
	in.Rules.matched(m.Rule.ID, now)
	telemetry.Since(in.Metrics.EventToMatch, m.Event.Event.Received, now)
	in.Tracing.Matched(m.Event, m.Rule.ID, now)
	doubt := ""
	if m.Refused == rules.NoSensor {
		var err error
		if doubt, err = in.sensors.find(ctx, m); err != nil {
			return nil, err
		}
	}
	if m.Refused != "" {
		return []*candidate{{set: set, match: m, reason: m.Refused, detail: doubt}}, nil
	}
	var all []*candidate
	for _, endpoint := range m.Endpoints {
		j, err := bind(set, m, endpoint, now)
		if err != nil {
			return nil, err
		}
		j.Trace = in.Tracing.Parent(m.Event)
		a := &candidate{set: set, match: m, endpoint: endpoint, job: j}
		if v := in.forbidden(ctx, j, m.Rule); v.Decision == admission.Deny {
			a.refuse(string(v.Reason), "%s: %s", v.Guard, v.Detail)
		}
		all = append(all, a)
	}
	return all, nil
}

// decide decides which jobs are made, and publishes of the others why not. back is
// why a message has to be tried again.
func (in *Intake) decide(ctx context.Context, batch []finding, asked []*candidate, back []error) {
	var asks []rules.Ask
	var of []*candidate
	for _, a := range asked {
		if a.reason == "" && !a.pending {
			asks, of = append(asks, rules.Ask{Set: a.set, Match: a.match, Endpoint: a.endpoint, Job: a.job.ID}), append(of, a)
		}
	}
	told := map[*rules.Match]bool{}
	for i, answer := range in.suppressor.ClaimAll(ctx, asks) {
		a, err := of[i], answer.Err
		var failure rules.Failure
		switch {
		case errors.As(err, &failure):
			a.job, err = nil, nil
			if !told[a.match] { // it is the same for each sensor
				told[a.match], err = true, in.failed(ctx, &batch[a.message].msg, failure)
			}
		case err != nil:
		case answer.Foreign != nil:
			a.refuse(rules.StateForeign, "%s", answer.Foreign)
			err = in.unverified(ctx, &batch[a.message].msg, answer.Foreign)
		case answer.Suppressed:
			a.refuse("suppressed", "job %s acted for the same; again from %s", answer.By, answer.Until.UTC().Format(time.RFC3339))
		default:
			err = in.count(ctx, a)
		}
		back[a.message] = errors.Join(back[a.message], err)
	}
	in.publishRefused(ctx, asked, back)
}

// unverified keeps a message whose job was not made, because a record that decides on it
// does not verify: it can be replayed once that is repaired.
func (in *Intake) unverified(ctx context.Context, m *events.Message, why error) error {
	in.Log.Error().Err(why).Msg("no job is made while a record does not verify; the message is kept as a dead letter")
	return in.Dead.Write(ctx, rules.StateForeign, *m, why)
}

// count counts a job that may act for the limits of its rule.
func (in *Intake) count(ctx context.Context, a *candidate) error {
	drop, err := in.limit(ctx, a.match.Rule, a.job)
	if err != nil {
		return err
	}
	if drop != "" {
		a.refuse("limit", "%s", drop)
		return nil
	}
	if err := in.Guard.Took(ctx, a.match.Rule.ID); err != nil {
		return fmt.Errorf("breaker of rule %s: %w", a.match.Rule.ID, err)
	}
	return nil
}

// publishRefused publishes all at once: the bus and the audit log write together what
// comes together.
func (in *Intake) publishRefused(ctx context.Context, asked []*candidate, back []error) {
	errs := make([]error, len(asked))
	var g errgroup.Group
	g.SetLimit(maxBatch)
	for i, a := range asked {
		if a.reason != "" {
			g.Go(func() error { errs[i] = in.refused(ctx, a); return nil })
		}
	}
	_ = g.Wait() // each has its own error
	for i, a := range asked {
		back[a.message] = errors.Join(back[a.message], errs[i])
	}
}

// refused publishes and audits that a match makes no job, and why.
func (in *Intake) refused(ctx context.Context, a *candidate) error {
	m := a.match
	in.Metrics.Decisions.WithLabelValues(m.Rule.ID, a.reason).Inc()
	d := notices.Decision{
		Job: jobs.ID(m.Rule.ID, m.Subject(), a.endpoint), Rule: m.Rule.ID, Event: m.Event.Event.ID, Type: m.Event.Event.Type, Server: m.Event.Sensor.Server,
		Sensor: looseid.ID(a.endpoint.ID), Host: m.Event.Sensor.Hostname, Reason: a.reason, Detail: a.detail, At: in.Now(),
	}
	err := in.Audit.Append(ctx, audit.Entry{
		Time: d.At, Kind: "decision", By: "intake", Rule: d.Rule, Digest: m.Rule.Digest, Job: d.Job, Server: d.Server, Sensor: looseid.ID(a.endpoint.ID),
		What: "no job", Reason: d.Reason, Text: d.Detail,
	})
	if err != nil {
		return err
	}
	return in.Notices.Decision(ctx, d)
}

package intake

import (
	"cmp"
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
	asked   bool // suppression has an answer for it
	counted bool // its rule's limit has

	together   bool // its key counts together with others, for want of room
	ofEndpoint bool // the limit of its event's endpoint has an answer for it

	reason, detail string // why the job is not made; "": it is
}

// refuse records why the job is not made.
func (a *candidate) refuse(reason, format string, args ...any) {
	a.reason, a.detail = reason, fmt.Sprintf(format, args...)
}

// ask is the question to suppression.
func (a *candidate) ask() rules.Ask {
	return rules.Ask{Set: a.set, Match: a.match, Endpoint: a.endpoint, Job: a.job.ID, Together: a.together, Void: a.reason == EndpointJobs}
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
	if m.Full != nil {
		doubt = m.Full.Error()
		if m.Refused == rules.CorrelationFull {
			in.Metrics.Bounds.WithLabelValues(m.Rule.ID, m.Refused).Inc()
			doubt += ": the event counts together with others of the endpoint"
		}
	}
	if m.Refused != "" {
		return []*candidate{{set: set, match: m, reason: m.Refused, detail: cmp.Or(doubt, m.RefusedText())}}, nil
	}
	var all []*candidate
	for _, endpoint := range m.Endpoints {
		j, err := bind(set, m, endpoint, now)
		if err != nil {
			return nil, err
		}
		j.Trace = in.Tracing.Parent(m.Event)
		if m.Doubt != "" {
			heldForDoubt(j, m.Doubt)
		}
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
			asks, of = append(asks, a.ask()), append(of, a)
		}
	}
	told := map[*rules.Match]bool{}
	for i, answer := range in.suppressor.ClaimAll(ctx, asks) {
		a, err := of[i], answer.Err
		a.asked, a.together = true, answer.Full != nil
		if answer.Full != nil && !answer.Suppressed {
			in.Metrics.Bounds.WithLabelValues(a.match.Rule.ID, SuppressionFull).Inc()
		}
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
		case answer.Suppressed && answer.Full != nil:
			err = in.suppressedTogether(ctx, a, &batch[a.message].msg, answer.Suppression)
		case answer.Suppressed:
			a.refuse("suppressed", "job %s acted for the same; again from %s", answer.By, answer.Until.UTC().Format(time.RFC3339))
		default:
			err = in.count(ctx, a, &batch[a.message].msg)
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

// suppressedTogether refuses a job whose key is not known by itself: a job of the rule has
// acted for an event of the endpoint, perhaps for this key.
func (in *Intake) suppressedTogether(ctx context.Context, a *candidate, m *events.Message, answer rules.Suppression) error {
	if answer.By == "" {
		a.refuse(SuppressionFull, "%s: it cannot be told whether a job has acted for the same", answer.Full)
	} else {
		a.refuse(SuppressionFull, "%s: its new keys count as one, for which job %s acted; again from %s", answer.Full, answer.By, answer.Until.UTC().Format(time.RFC3339))
	}
	return in.keepBeyond(ctx, a, m)
}

// count counts a job that may act for the limits of its event's endpoint and its rule.
func (in *Intake) count(ctx context.Context, a *candidate, m *events.Message) error {
	if err := in.countJob(ctx, a, m); err != nil || a.reason != "" {
		return err
	}
	a.counted = a.match.Rule.Limits != nil
	drop, err := in.limit(ctx, a.match.Rule, a.job)
	if err != nil {
		return err
	}
	if drop != "" {
		a.refuse("limit", "%s", drop)
		return nil
	}
	if err := in.Guard.Took(ctx, a.match.Rule.ID, a.job.ID); err != nil {
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

package intake

import (
	"context"
	"fmt"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// A rule may hang on facts that the endpoint's server could tell and has not told yet.
// What would be a match is then recorded as a job that is held with fact_pending, and
// decided when the record of the endpoint arrives: neither a restart nor a slow server
// turns a match into silence, and no message waits.

// unread are the facts on which it hangs and that the server may yet tell; none after
// the rule's max_age, when they count as unknown.
func unread(u *rules.Unclear, now time.Time) events.Facts {
	if u.Rule.MaxAge > 0 && now.Sub(since(u.Event)) > u.Rule.MaxAge {
		return 0
	}
	return u.Missing & u.Event.Sensor.Pending
}

// request has the metadata of the event's image read, where a rule hangs on it.
func (in *Intake) request(missing events.Facts, e *events.Event) {
	if missing&events.FactImage != 0 && in.Binaries != nil {
		in.Binaries.Want(e)
	}
}

// since is when an event happened, or else arrived.
func since(e *events.Event) time.Time {
	if e.Event.Time.IsZero() {
		return e.Event.Received
	}
	return e.Event.Time
}

// pending are the held jobs of the rules that could not be decided on a message.
func (in *Intake) pending(f *finding) (all []*candidate, err error) {
	now := in.Now()
	for i := range f.found.Unclear {
		u := &f.found.Unclear[i]
		facts := unread(u, now)
		if facts == 0 {
			continue
		}
		in.request(facts, u.Event)
		m, err := f.set.Supposing(*u)
		if err != nil {
			return nil, err
		}
		endpoint, ok := supposed(&m)
		if !ok {
			continue // a match would make no job either
		}
		j, err := bind(f.set, &m, endpoint, now)
		if err != nil {
			return nil, err
		}
		j.Trace = in.Tracing.Parent(m.Event)
		j.State, j.Reason = jobs.Held, jobs.ReasonFactPending
		j.Detail = fmt.Sprintf("whether the rule matches cannot be told yet: %s not read, server %s has not answered", facts, endpoint.Server)
		in.Metrics.Decisions.WithLabelValues(m.Rule.ID, string(jobs.ReasonFactPending)).Inc()
		all = append(all, &candidate{set: f.set, match: &m, endpoint: endpoint, job: j, pending: true})
	}
	return all, nil
}

// supposed is the endpoint that a match would act on. One of which only the host name is
// known stands for it until the server tells the id.
func supposed(m *rules.Match) (edr.Endpoint, bool) {
	s := &m.Event.Sensor
	switch {
	case s.Server == "":
		return edr.Endpoint{}, false
	case m.Refused == "" && len(m.Endpoints) == 1:
		return m.Endpoints[0], true
	case m.Refused == rules.NoSensor && s.Hostname != "":
		e := edr.Endpoint{Server: s.Server, ID: "host:" + s.Hostname}
		return e, e.Validate() == nil
	}
	return edr.Endpoint{}, false
}

// DecidePending decides the jobs that are held for a fact and whose endpoint's record
// has arrived, or whose time is over. Call it when facts arrive, and from time to time.
func (in *Intake) DecidePending(ctx context.Context) {
	for _, m := range in.Fleet.Members() {
		for _, id := range m.Scheduler.HeldFor(jobs.ReasonFactPending) {
			if ctx.Err() != nil {
				return
			}
			j, err := m.Scheduler.Get(ctx, id)
			if err != nil || j.State != jobs.Held || j.Reason != jobs.ReasonFactPending || j.Event == nil {
				continue // decided, by another replica or a person
			}
			if err := in.decidePending(ctx, m.Scheduler, j); err != nil && ctx.Err() == nil {
				in.Log.Error().Err(err).Str("job", id).Str("rule", j.Rule).Str("endpoint", j.Endpoint.String()).Msg("a match that waits for a fact could not be decided; it is tried again")
			}
		}
	}
}

func (in *Intake) decidePending(ctx context.Context, s *jobs.Scheduler, j *jobs.Job) error {
	e := *j.Event
	if m := &e.Event; !m.Time.IsZero() && !m.Received.IsZero() {
		m.Age = m.Received.Sub(m.Time) // not a part of the record
	}
	e.Sensor.ForgetGiven()
	if in.Rules.Enrich != nil {
		in.Rules.Enrich(&e)
	}
	if in.Rules.Images != nil {
		in.Rules.Images.Fill(&e)
	}
	set := in.Rules.current().Set()
	if _, loaded := set.Rule(j.Rule); !loaded {
		return s.Settle(ctx, j.ID, jobs.Cancelled, jobs.ReasonCondition, "the rule is not loaded any more", nil)
	}
	match, unclear, err := set.Ask(j.Rule, &e)
	switch {
	case err != nil:
		return s.Settle(ctx, j.ID, jobs.Denied, jobs.ReasonBinding, err.Error(), nil)
	case unclear != nil && unread(unclear, in.Now()) != 0:
		in.request(unclear.Missing, &e)
		return nil
	case unclear != nil:
		in.Metrics.Decisions.WithLabelValues(j.Rule, unknownFact).Inc()
		return s.Settle(ctx, j.ID, jobs.Expired, jobs.ReasonUnknownFact, "no match: "+unclear.Why(), nil)
	case match == nil:
		return s.Settle(ctx, j.ID, jobs.Skipped, jobs.ReasonCondition, "the rule does not match, now that the facts of the endpoint are known", nil)
	}
	return in.matchedLate(ctx, s, j, set, match)
}

// matchedLate does what follows a match, for one that was held for a fact.
func (in *Intake) matchedLate(ctx context.Context, s *jobs.Scheduler, j *jobs.Job, set *rules.Set, m *rules.Match) error {
	f := finding{set: set, found: rules.Found{Matches: []rules.Match{*m}}}
	f.msg.Body, f.msg.Transport = []byte(m.Event.Event.ID), m.Event.Event.Transport
	asked, err := in.candidatesOf(ctx, &f, 0)
	if err != nil {
		return err
	}
	back := make([]error, 1)
	if in.decide(ctx, []finding{f}, asked, back); back[0] != nil {
		return back[0]
	}
	text, others := "the rule matches, and counts for its correlation", []*jobs.Job(nil)
	for _, a := range asked {
		switch {
		case a.makes() && a.job.ID == j.ID:
			if err := in.release(ctx, s, a.job); err != nil {
				return err
			}
		case a.makes():
			others = append(others, a.job)
			text = "the rule matches: see job " + a.job.ID
		case a.reason != "":
			text = a.reason + ": " + a.detail
		}
	}
	if err := in.enqueue(ctx, others); err != nil {
		return err
	}
	in.settled(ctx, asked, back)
	return s.Settle(ctx, j.ID, jobs.Skipped, jobs.ReasonCondition, text, nil) // unless it goes on
}

// release has the held job go on as the job of the match.
func (in *Intake) release(ctx context.Context, s *jobs.Scheduler, made *jobs.Job) error {
	to, detail := made.State, made.Detail
	if to == "" {
		to, detail = jobs.Queued, "the rule matches, now that the facts of the endpoint are known"
	}
	return s.Settle(ctx, made.ID, to, made.Reason, detail, func(j *jobs.Job) {
		j.Digest, j.About, j.Mode, j.Steps, j.OnFailure, j.Timeout = made.Digest, made.About, made.Mode, made.Steps, made.OnFailure, made.Timeout
		j.Event, j.Vars, j.Correlated, j.Group, j.Policy = made.Event, made.Vars, made.Correlated, made.Group, made.Policy
		j.Deadline, j.Approvals, j.WakeAt = made.Deadline, made.Approvals, made.WakeAt
	})
}

package intake

import (
	"context"
	"slices"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
	"edrpipe/rules"
)

// byRule is the submitter of jobs that rules make.
const byRule = "rule"

// bind makes the job of a match on a sensor: the rule's chain with the event that its
// expressions will read.
func bind(set *rules.Set, m *rules.Match, endpoint edr.Endpoint, now time.Time) (*jobs.Job, error) {
	r := m.Rule
	m.Event.LoadRaw() // steps may read raw, long after the message has gone
	j := &jobs.Job{
		ID:   jobs.ID(r.ID, m.Subject(), endpoint),
		Rule: r.ID, Digest: r.Digest, Submitter: byRule,
		About:    &actions.RuleInfo{ID: r.ID, Title: r.Title, Severity: r.Severity, Tags: r.Tags, Digest: r.Digest},
		Endpoint: endpoint, Priority: priority(r), Mode: string(r.Mode),
		Steps: r.Steps, OnFailure: r.OnFailure, Timeout: r.Timeout,
		Event: m.Event, Vars: m.Vars, Correlated: m.Correlated,
		Created: now, Deadline: now.Add(r.OfflineWait),
	}
	j.Meant = j.MeantHost()
	j.Host = j.Meant
	compiled, ok := set.Rule(r.ID)
	if !ok || r.Concurrency == nil {
		return j, nil
	}
	group, err := compiled.GroupOf(m.Event, m.Vars)
	if err != nil {
		return nil, rules.Failure{Rule: r, Part: "concurrency.key", Event: m.Event.Event.ID, Err: err}
	}
	j.Group, j.Policy = group, jobs.Policy(r.Concurrency.Policy)
	return j, nil
}

// priority follows the rule's own, or its severity.
func priority(r *rules.Rule) jobs.Priority {
	word := r.Priority
	if word == "" {
		word = r.Severity
	}
	switch word {
	case "critical":
		return jobs.Critical
	case "high":
		return jobs.High
	case "low", "info":
		return jobs.Low
	}
	return jobs.Normal
}

// forbidden is the first verdict of the guard against a step of the job, so that what
// can never run does not wait first.
func (in *Intake) forbidden(ctx context.Context, j *jobs.Job, r *rules.Rule) admission.Verdict {
	if slices.ContainsFunc(j.Steps, runsAlways) {
		return admission.Verdict{} // the others are denied when they act
	}
	for _, s := range j.Steps {
		a, ok := actions.Lookup(s.Uses)
		if !ok {
			continue // steps that run in parallel are asked about when they act
		}
		spec := a.Spec()
		q := admission.Request{
			Job: j.ID, Step: s.ID, Rule: r.ID, RulePath: in.Rules.Path(r.ID), Submitter: byRule, Shadow: r.Mode == rules.Shadow,
			Action: spec.Name, Destructive: spec.Destructive, Event: j.Event,
		}
		q.Endpoint, q.Sensor.ID, q.Sensor.Hostname = j.Endpoint, j.Endpoint.ID, j.Host
		if s.If != "" || s.Sensor != "" {
			continue // may not run at all, or elsewhere: decided when it acts
		}
		if v := in.Guard.Enqueue(ctx, q); v.Decision != admission.Allow {
			return v
		}
	}
	return admission.Verdict{}
}

// runsAlways reports whether a step runs where an earlier one was denied, too.
func runsAlways(s actions.Step) bool {
	_, always := actions.Condition(s.If)
	return always
}

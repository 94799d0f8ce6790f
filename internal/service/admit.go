package service

import (
	"context"

	"edrpipe/internal/intake"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

// admission asks the guard on behalf of the scheduler: the one door between a
// step and the endpoint.
type admission struct {
	guard *guard.Guard
	rules *intake.Ruleset
	audit *audit.Log
}

// admit is jobs.Config.Admit.
func (a admission) admit(ctx context.Context, q jobs.Asked) jobs.Verdict {
	v := verdict(a.guard.Admit(ctx, a.ask(q)))
	if err := auditVerdict(ctx, a.audit, q, v); err != nil {
		return undecidable(err)
	}
	return v
}

func (a admission) ask(q jobs.Asked) guard.Ask {
	ask := guard.Ask{
		Job: q.Job.ID, Step: q.Step.ID, Item: q.Item, Rule: q.Job.Rule, RulePath: a.rules.Path(q.Job.Rule),
		Submitter: q.Job.Submitter, Shadow: q.Job.Mode == string(guard.Shadow),
		Action: q.Spec.Name, Destructive: q.Spec.Destructive, Undo: q.Job.Undoes(), Pending: q.Pending,
		Args: q.Args, Sensor: q.Sensor, Event: q.Job.Event,
	}
	for _, asked := range q.Job.Approvals {
		if asked.Step != q.Step.ID || asked.Item != q.Item {
			continue
		}
		for _, answer := range asked.Answers {
			ask.Answers = append(ask.Answers, guard.Answer{By: answer.By, Groups: answer.Groups, Allow: answer.Allow})
		}
	}
	return ask
}

// verdict puts the guard's word into the scheduler's form.
func verdict(v guard.Verdict) jobs.Verdict {
	out := jobs.Verdict{
		Reason: jobs.Reason(v.Reason), Detail: v.Detail, Until: v.Until,
		InOrder: v.Reason == guard.Undecided || v.Reason == guard.Stopped,
	}
	if v.Guard != "" {
		out.Detail = v.Guard + ": " + v.Detail
	}
	switch v.Decision {
	case guard.Deny:
		out.Decision = jobs.Deny
	case guard.Hold:
		out.Decision = jobs.Hold
	case guard.Shadow:
		out.Decision = jobs.Shadow
	}
	if p := v.Approval; p != nil {
		out.Approval = &actions.Approval{From: p.From, Require: p.Require, Within: p.Within}
	}
	return out
}

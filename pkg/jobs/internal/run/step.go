package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
)

// flow is the run of this job's chain.
func (x *Execution) flow() *chain.Flow[Halt] {
	return &chain.Flow[Halt]{
		Host: host{x}, Scope: x.scope, Binder: x.binder, Literal: x.job.Literal,
		Beside: func(run func()) { go run() }, // the block waits for it
	}
}

// host runs the actions of a chain and keeps the ends of its steps in the job's record.
type host struct{ x *Execution }

// Ended implements chain.Host.
func (h host) Ended(st *actions.Step, item int) (chain.End, bool) {
	r := h.x.stepRecord(st, item)
	return chain.End{State: string(r.State), Reason: string(r.Reason), Error: r.Error, Output: r.Output}, r.State.Ended()
}

// Finish implements chain.Host.
func (h host) Finish(ctx context.Context, st *actions.Step, item int, e chain.End) *Halt {
	r := h.x.stepRecord(st, item)
	r.State, r.Reason, r.Error, r.Output = job.StepState(e.State), job.Reason(e.Reason), e.Error, e.Output
	return h.x.ended(h.x.finish(ctx, st, r))
}

// Act implements chain.Host.
func (h host) Act(ctx context.Context, b *actions.Binder, st *actions.Step, item int, s actions.Scope) *Halt {
	return h.x.one(ctx, b, st, item, s)
}

// Unclear implements chain.Host.
func (h host) Unclear(ctx context.Context, st *actions.Step, of *events.Event, missing events.Facts) (*Halt, *chain.End) {
	return h.x.unclear(ctx, st, of, missing)
}

// Between implements chain.Host.
func (h host) Between(ctx context.Context) *Halt { return h.x.between(ctx) }

// fail records that a step cannot run as it is written.
func (x *Execution) fail(ctx context.Context, st *actions.Step, item int, err error) *Halt {
	r := x.stepRecord(st, item)
	r.State, r.Reason, r.Error = job.StepFailed, job.ReasonBinding, err.Error()
	return x.ended(x.finish(ctx, st, r))
}

// ended turns an error of recording a step into a halt: the record is as it was,
// so whoever resumes the job knows where it stopped.
func (x *Execution) ended(err error) *Halt {
	if err != nil {
		return &Halt{Keep: true, Text: err.Error()}
	}
	return nil
}

// one runs a step for one item, or for none (item 0).
func (x *Execution) one(ctx context.Context, b *actions.Binder, st *actions.Step, item int, scope actions.Scope) *Halt {
	r := x.stepRecord(st, item)
	act, ok := actions.Lookup(st.Uses)
	if !ok {
		return x.fail(ctx, st, item, fmt.Errorf("there is no action %q", st.Uses))
	}
	if r.Args == nil {
		if err := x.bind(b, st, scope, &r); err != nil {
			return x.fail(ctx, st, item, err)
		}
	}
	params, err := actions.Decode(act, r.Args)
	if err != nil {
		return x.fail(ctx, st, item, err)
	}
	permit := func(r *job.StepRecord) verdict { return x.permit(ctx, b, st, scope, act.Spec(), r) }
	pending := r.State == job.StepPending // no command was sent yet: the step may still be refused
	if pending {
		if v := permit(&r); v.decided() {
			return v.h
		}
	}
	if st.Sensor != "" && !x.job.Literal {
		id, err := b.Sensor(scope, st.Sensor)
		if err != nil {
			return x.fail(ctx, st, item, fmt.Errorf("sensor: %w", err))
		}
		if target := x.sameServer(id); target != x.job.Endpoint {
			return x.elsewhere(ctx, st, r, target)
		}
	}
	a := &attempt{x: x, st: st, act: act, spec: act.Spec(), params: params, rec: r, permit: permit, decided: pending}
	return a.run(ctx)
}

// sameServer is the endpoint of that id on the job's own server. A step cannot leave
// its server: the id of another one's endpoint is unknown to it.
func (x *Execution) sameServer(id string) edr.Endpoint {
	server := x.job.Endpoint.Server
	return edr.Endpoint{Server: server, ID: strings.TrimPrefix(id, server+"/")}
}

// bind evaluates a step's arguments. They are recorded and not evaluated again.
func (x *Execution) bind(b *actions.Binder, st *actions.Step, scope actions.Scope, r *job.StepRecord) (err error) {
	if x.job.Literal {
		r.Args = st.With
	} else if r.Args, err = b.Args(scope, st.With); err != nil {
		return fmt.Errorf("with: %w", err)
	}
	if r.Args == nil {
		r.Args = map[string]any{}
	}
	return nil
}

// permit decides whether the step may run: is the endpoint the one that was meant,
// do guards allow it, have people agreed?
func (x *Execution) permit(ctx context.Context, b *actions.Binder, st *actions.Step, scope actions.Scope, spec actions.Spec, r *job.StepRecord) verdict {
	if x.job.Mode == "shadow" {
		return x.refuse(ctx, st, r, job.StepSkipped, job.ReasonShadow, "")
	}
	if x.cfg.Stopped != nil {
		if err := x.cfg.Stopped(); err != nil {
			return verdict{h: stopped(err)}
		}
	}
	if v := x.identify(ctx, st, spec, r); v.decided() {
		return v
	}
	ask, err := chain.Demanded(b, st, scope, x.job.Literal)
	if err != nil {
		return verdict{x.fail(ctx, st, r.Item, err), true}
	}
	d, v := x.guarded(ctx, st, spec, r, ask)
	if v.decided() {
		return v
	}
	if d != nil {
		return x.agreed(ctx, st, r, d.Approval, d)
	}
	if ask != nil {
		return x.agreed(ctx, st, r, ask, nil)
	}
	return verdict{}
}

// guarded is the guards' decision about the step; the verdict is not nil if people have
// to approve because of it.
func (x *Execution) guarded(ctx context.Context, st *actions.Step, spec actions.Spec, r *job.StepRecord, ask *admission.Approval) (*admission.Verdict, verdict) {
	if x.cfg.Admit == nil {
		return nil, verdict{}
	}
	info, err := x.subject(ctx)
	if err != nil {
		return nil, x.unread(ctx, st, r, err)
	}
	v := x.cfg.Admit(ctx, x.request(st, r, spec, info, ask))
	switch {
	case v.Decision == admission.Deny:
		return nil, x.refuse(ctx, st, r, job.StepFailed, job.ReasonDenied, judged(v))
	case v.Decision == admission.Shadow:
		return nil, x.refuse(ctx, st, r, job.StepSkipped, job.ReasonShadow, judged(v))
	case v.Decision == admission.Hold && v.Approval == nil:
		return nil, verdict{h: x.waitUntil(v)}
	case v.Decision == admission.Hold:
		return &v, verdict{}
	}
	return nil, verdict{}
}

// request is the question to guards whether the step may run now; ask is the
// agreement that its author wants.
func (x *Execution) request(st *actions.Step, r *job.StepRecord, spec actions.Spec, info edr.Sensor, ask *admission.Approval) admission.Request {
	j := x.snapshot()
	q := admission.Request{
		Job: j.ID, Step: st.ID, Item: r.Item, Rule: j.Rule, Digest: j.Digest, Submitter: j.Submitter, Shadow: j.Mode == string(admission.Shadow),
		Action: spec.Name, Destructive: spec.Destructive, Undo: j.Undoes(), Args: r.Args,
		Endpoint: j.Endpoint, Sensor: info, Event: j.Event,
	}
	digest := job.CallDigest(r.Uses, j.Endpoint, r.Args)
	for _, a := range j.Approvals {
		if a.Step == st.ID && a.Item == r.Item && a.Digest == digest {
			q.Answers = append(q.Answers, a.Answers...)
		}
	}
	if ask != nil {
		own := x.approval(st, r, ask)
		q.Pending = own == nil || !own.Granted
	}
	return q
}

// agreed holds the step until the people whose agreement it needs have answered. by
// is the verdict of the guard that asks; nil: the step's author does.
func (x *Execution) agreed(ctx context.Context, st *actions.Step, r *job.StepRecord, ask *admission.Approval, by *admission.Verdict) verdict {
	reason, missing, why := job.ReasonApproval, ask.Missing, ""
	switch {
	case by != nil && by.Reason == job.ReasonUnknownFact:
		reason, missing, why = by.Reason, by.Missing, ": "+by.Text()
	case missing != 0:
		reason, why = job.ReasonUnknownFact, fmt.Sprintf(": approval.if: cannot tell, %s is not known", missing)
	}
	switch a := x.approval(st, r, ask); {
	case a == nil:
		q := job.Question{Step: st.ID, Item: r.Item, Args: r.Args, Digest: job.CallDigest(r.Uses, x.job.Endpoint, r.Args), From: ask.From, Require: max(ask.Require, 1), Otherwise: ask.Otherwise}
		q.Missing = missing
		if ask.Within > 0 {
			q.Until = x.cfg.Now().Add(ask.Within)
		}
		h := x.ask(ctx, q, reason)
		if !h.Keep {
			h.Detail += why
		}
		return verdict{h: h}
	case a.Granted && by != nil:
		return x.refuse(ctx, st, r, job.StepFailed, job.ReasonDenied, "the guard still asks after it was answered")
	case a.Granted:
		return verdict{}
	case a.Closed && len(a.Answers) == 0:
		return x.refuse(ctx, st, r, job.StepFailed, job.ReasonUnanswered, "nobody approved in time")
	case a.Closed:
		return x.refuse(ctx, st, r, job.StepFailed, job.ReasonDenied, a.Refusal())
	default:
		return verdict{h: &Halt{Move: job.Move{To: job.Held, Reason: reason, Detail: a.Text() + why}}}
	}
}

// waitUntil has the job wait until a guard may decide otherwise: parked, so that
// others pass, unless nobody can be decided on.
func (x *Execution) waitUntil(v admission.Verdict) *Halt {
	if v.InOrder {
		return &Halt{Move: job.Move{To: job.Queued, Reason: v.Reason, Detail: v.Text()}, Off: errors.New(v.Text())}
	}
	until := v.Until
	if until.IsZero() {
		until = x.cfg.Now().Add(time.Minute)
	}
	reason := v.Reason
	if reason == "" {
		reason = job.ReasonBudget
	}
	return &Halt{Move: job.Move{To: job.Parked, Reason: reason, Detail: v.Text(), Wake: until}}
}

// stopped has the job wait at the head of its sensor's line until it may go on.
func stopped(err error) *Halt {
	return &Halt{Move: job.Move{To: job.Queued, Reason: job.ReasonPaused, Detail: err.Error()}, Off: err}
}

// park has the job wait without its sensor.
func (x *Execution) park(reason job.Reason, detail string, d time.Duration) *Halt {
	return &Halt{Move: job.Move{To: job.Parked, Reason: reason, Detail: detail, Wake: x.cfg.Now().Add(d)}}
}

// judged is a verdict in words, which begin with its reason: dry_run, silenced, breaker.
func judged(v admission.Verdict) string {
	if v.Reason == "" {
		return v.Text()
	}
	return strings.TrimSuffix(string(v.Reason)+": "+v.Text(), ": ")
}

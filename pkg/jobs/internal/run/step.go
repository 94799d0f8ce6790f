package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/jobs/job"
)

// step runs one step unless it has ended before. A halt means that the chain
// does not go on now.
func (x *Execution) step(ctx context.Context, st *actions.Step, cleanup bool) *Halt {
	if r := x.stepRecord(st, 0); r.State.Ended() {
		x.remember(st, r)
		return nil
	}
	if _, always := actions.Condition(st.If); x.hasFailed() && !cleanup && !always {
		return x.skip(ctx, st, "an earlier step failed")
	}
	b := x.binder(cleanup)
	scope := x.scope(ctx, nil)
	truth, missing, err := b.Truth(scope, x.condition(st))
	if truth == expression.Unknown && err == nil {
		if h, decided := x.unclear(ctx, st, scope.Event, missing); decided {
			return h
		}
		truth = expression.True // people settled it
	}
	switch {
	case err != nil:
		return x.fail(ctx, st, 0, fmt.Errorf("if: %w", err))
	case truth == expression.False:
		return x.skip(ctx, st, "")
	case len(st.Parallel) > 0:
		return x.parallel(ctx, st, cleanup)
	case st.Foreach != "":
		return x.foreach(ctx, b, st)
	}
	return x.one(ctx, b, st, 0, nil)
}

func (x *Execution) hasFailed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed != nil
}

// condition is the step's if; a literal job has been through its conditions.
func (x *Execution) condition(st *actions.Step) string {
	if x.job.Literal {
		return ""
	}
	return st.If
}

// skip records that a step does not run.
func (x *Execution) skip(ctx context.Context, st *actions.Step, why string) *Halt {
	r := x.stepRecord(st, 0)
	r.State, r.Reason, r.Error = job.StepSkipped, job.ReasonCondition, why
	return x.ended(x.finish(ctx, st, r))
}

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

// parallel runs steps side by side where they need no session; those that do
// take turns, because a session runs one command at a time.
func (x *Execution) parallel(ctx context.Context, st *actions.Step, cleanup bool) *Halt {
	var (
		mu    sync.Mutex
		first *Halt
		group sync.WaitGroup
		inRow []*actions.Step
	)
	note := func(h *Halt) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil || (h != nil && h.Keep) {
			first = h
		}
	}
	for i := range st.Parallel {
		sub := &st.Parallel[i]
		if usesSession(sub) {
			inRow = append(inRow, sub)
			continue
		}
		group.Go(func() { note(x.step(ctx, sub, cleanup)) })
	}
	for _, sub := range inRow {
		h := x.step(ctx, sub, cleanup)
		if note(h); h != nil {
			break
		}
	}
	group.Wait()
	if first != nil {
		return first
	}
	r := x.stepRecord(st, 0)
	r.State = job.StepOK
	return x.ended(x.finish(ctx, st, r))
}

func usesSession(st *actions.Step) bool {
	a, ok := actions.Lookup(st.Uses)
	return !ok || a.Spec().Session || len(st.Parallel) > 0
}

// foreach runs a step once for each item; its result is the list of theirs.
func (x *Execution) foreach(ctx context.Context, b *actions.Binder, st *actions.Step) *Halt {
	items, err := b.Items(x.scope(ctx, nil), st.Foreach)
	if err != nil {
		return x.fail(ctx, st, 0, fmt.Errorf("foreach: %w", err))
	}
	all := job.StepRecord{ID: st.ID, Uses: st.Uses, State: job.StepOK, Started: x.cfg.Now()}
	outputs := make([]json.RawMessage, 0, len(items))
	for i, item := range items {
		if h := x.one(ctx, b, st, i+1, item); h != nil {
			return h
		}
		if h := x.interrupted(ctx); h != nil {
			return h
		}
		r := x.stepRecord(st, i+1)
		outputs = append(outputs, r.Output)
		if r.State == job.StepOK || r.State == job.StepSkipped {
			continue
		}
		if all.State != job.StepUnknown {
			all.State, all.Reason, all.Error = r.State, r.Reason, fmt.Sprintf("item %d: %s", i+1, r.Error)
		}
		if st.OnError != "continue" {
			break
		}
	}
	if all.Output, err = json.Marshal(outputs); err != nil {
		return x.fail(ctx, st, 0, err)
	}
	return x.ended(x.finish(ctx, st, all))
}

// one runs a step for one item, or for none (item 0).
func (x *Execution) one(ctx context.Context, b *actions.Binder, st *actions.Step, item int, value any) *Halt {
	r := x.stepRecord(st, item)
	if r.State.Ended() {
		x.remember(st, r)
		return nil
	}
	act, ok := actions.Lookup(st.Uses)
	if !ok {
		return x.fail(ctx, st, item, fmt.Errorf("there is no action %q", st.Uses))
	}
	scope := x.scope(ctx, value)
	if r.Args == nil {
		if err := x.bind(b, st, scope, &r); err != nil {
			return x.fail(ctx, st, item, err)
		}
	}
	params, err := actions.Decode(act, r.Args)
	if err != nil {
		return x.fail(ctx, st, item, err)
	}
	if r.State == job.StepPending { // nothing has left yet: it may still be refused
		if v := x.permit(ctx, b, st, scope, act.Spec(), &r); v.decided() {
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
	return x.attempts(ctx, st, act, params, r)
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
	ask, err := x.demanded(b, st, scope)
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

// guarded is what the guards say to the step; the admission verdict is not nil where
// people have to agree because of it.
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
		return nil, x.refuse(ctx, st, r, job.StepFailed, job.ReasonDenied, v.Text())
	case v.Decision == admission.Shadow:
		return nil, x.refuse(ctx, st, r, job.StepSkipped, job.ReasonShadow, v.Text())
	case v.Decision == admission.Hold && v.Approval == nil:
		return nil, verdict{h: x.waitUntil(v)}
	case v.Decision == admission.Hold:
		return &v, verdict{}
	}
	return nil, verdict{}
}

// demanded is the agreement that the step's author wants for it, or nil.
func (x *Execution) demanded(b *actions.Binder, st *actions.Step, scope actions.Scope) (*admission.Approval, error) {
	a := st.Approval
	if a == nil {
		return nil, nil
	}
	if a.If != "" && !x.job.Literal {
		truth, _, err := b.Truth(scope, a.If)
		if err != nil {
			return nil, fmt.Errorf("approval.if: %w", err)
		}
		if truth == expression.False { // what cannot be told needs the approval
			return nil, nil
		}
	}
	return &admission.Approval{From: a.From, Require: a.Require, Within: a.Within, Otherwise: a.Otherwise}, nil
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
	for _, a := range j.Approvals {
		if a.Step == st.ID && a.Item == r.Item {
			q.Answers = append(q.Answers, a.Answers...)
		}
	}
	if ask != nil {
		own := x.approval(st, r.Item, ask)
		q.Pending = own == nil || !own.Granted
	}
	return q
}

// agreed holds the step until the people whose agreement it needs have answered. by
// is the verdict of the guard that asks; nil: the step's author does.
func (x *Execution) agreed(ctx context.Context, st *actions.Step, r *job.StepRecord, ask *admission.Approval, by *admission.Verdict) verdict {
	reason := job.ReasonApproval
	if by != nil && by.Reason == job.ReasonUnknownFact {
		reason = by.Reason
	}
	switch a := x.approval(st, r.Item, ask); {
	case a == nil:
		q := job.Question{Step: st.ID, Item: r.Item, Args: r.Args, From: ask.From, Require: max(ask.Require, 1), Otherwise: ask.Otherwise}
		if by != nil {
			q.Missing = by.Missing
		}
		if ask.Within > 0 {
			q.Until = x.cfg.Now().Add(ask.Within)
		}
		h := x.ask(ctx, q, reason)
		if by != nil && reason == job.ReasonUnknownFact && !h.Keep {
			h.Detail += ": " + by.Text()
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
		return verdict{h: &Halt{Move: job.Move{To: job.Held, Reason: reason, Detail: a.Text()}}}
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

package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/expression"

	"github.com/rs/zerolog"
)

// Config is what a Guard is made of.
type Config struct {
	Store  Store            // nil: Memory, which serves one process
	Policy *Policy          // nil: no guards but the switches of people
	Facts  Facts            // the directory of endpoints; nil: a request has all that is known
	Now    func() time.Time // all replicas', for they count together; nil: time.Now
	// Record is called for each change of the guard itself: switches, silences, opened
	// breakers. It goes to the audit log. Nil: no record.
	Record func(ctx context.Context, c Change)
	Mark   *Mark // the newest record of switches that was seen; nil: of this process only
	Log    zerolog.Logger
}

// Change is something that people, or a breaker, did to the guard.
type Change struct {
	What string // stop, resume, dry_run, act, silence, unsilence, breaker, reset
	By   string // a person; "breaker" for a breaker
	Why  string
	On   string // rule, silence, server, tenant or the like that it is about
	At   time.Time
}

// Guard answers whether steps may run. It is safe for concurrent use; all guards
// on one Store act as one.
type Guard struct {
	store  Store
	policy atomic.Pointer[Policy]
	facts  Facts
	now    func() time.Time
	record func(ctx context.Context, c Change)
	log    zerolog.Logger

	// budgets makes the replica's own takers queue up before they meet others at
	// the store.
	budgets turn
	volume  volume

	seen atomic.Pointer[observed] // by Watch
	mark *Mark
}

// New returns a guard.
func New(c Config) *Guard {
	g := &Guard{store: c.Store, facts: c.Facts, now: c.Now, record: c.Record, mark: c.Mark, log: c.Log, budgets: newTurn()}
	if g.store == nil {
		g.store = &Memory{}
	}
	if g.mark == nil {
		g.mark = new(Mark)
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.record == nil {
		g.record = func(context.Context, Change) {}
	}
	g.Use(c.Policy)
	return g
}

// Use replaces the policy as a whole. What was counted stays counted.
func (g *Guard) Use(p *Policy) {
	if p == nil {
		p = &Policy{}
	}
	g.policy.Store(p)
}

// Policy is the policy in use.
func (g *Guard) Policy() *Policy { return g.policy.Load() }

// Enqueue decides on a job that is about to be taken, once for each of its
// steps: what can never run is denied before it waits. Everything that may
// change until then, budgets above all, is decided by Admit.
func (g *Guard) Enqueue(ctx context.Context, a admission.Request) admission.Verdict {
	return g.denied(ctx, a, g.policy.Load(), &unclear{})
}

// Admit decides about a step immediately before it acts. Repeated calls for the same
// step of the same job count once. The sensor must be the server's present record.
func (g *Guard) Admit(ctx context.Context, a admission.Request) admission.Verdict {
	if a.Sensor.ID == "" {
		return g.undecided(errors.New("the sensor is not known"))
	}
	if a.Endpoint.ID == "" {
		a.Endpoint.ID = a.Sensor.ID
	}
	p := g.policy.Load()
	c, breaker, err := g.state(ctx, a)
	if err != nil {
		return g.undecided(err)
	}
	if s := g.switched(ctx, c.Stop, c.Stops, a); s != nil {
		return admission.Verdict{Decision: admission.Hold, Reason: Stopped, Guard: s.By, Detail: s.detail(), Until: g.now().Add(time.Second), InOrder: true}
	}
	var unclear unclear
	if v := g.denied(ctx, a, p, &unclear); v.Decision != admission.Allow {
		return v
	}
	if v := g.silenced(ctx, c, a); v.Decision != admission.Allow {
		return v
	}
	if v := acting(a, p, g.switched(ctx, c.DryRun, c.DryRuns, a)); v.Decision != admission.Allow {
		return v
	}
	if v := g.rules(ctx, a, p, breaker, &unclear); v.Decision != admission.Allow {
		return v
	}
	limits, v := g.limits(ctx, a, p, &unclear)
	if v.Decision != admission.Allow {
		return v
	}
	if v := unclear.verdict(a); v.Decision != admission.Allow {
		return v
	}
	if v := g.unapproved(ctx, a, p); v.Decision != admission.Allow {
		return v
	}
	return g.spend(ctx, a, limits)
}

// state reads what people switched and the breaker that binds the step, both at
// once: a command waits for the answers.
func (g *Guard) state(ctx context.Context, a admission.Request) (c control, f fuse, err error) {
	var reading sync.WaitGroup
	var unread error
	if a.Rule != "" && !a.Undo {
		reading.Go(func() { f, _, unread = read[fuse](ctx, g.store, fuseKey(a.Rule)) })
	}
	c, err = g.control(ctx)
	reading.Wait()
	return c, f, errors.Join(err, unread)
}

// rules are the guards that a step which takes something back is free of: it
// brings the fleet nearer to what it was.
func (g *Guard) rules(ctx context.Context, a admission.Request, p *Policy, breaker fuse, unclear *unclear) admission.Verdict {
	if a.Undo {
		return admission.Verdict{}
	}
	if v := g.hours(ctx, a, p, unclear); v.Decision != admission.Allow {
		return v
	}
	if breaker.open(g.now()) {
		return admission.Verdict{Decision: admission.Shadow, Reason: Tripped, Guard: a.Rule, Detail: breaker.Open.Why}
	}
	return admission.Verdict{}
}

// undecided waits: a guard that cannot decide has not allowed the step.
func (g *Guard) undecided(err error) admission.Verdict {
	g.log.Error().Err(err).Msg("guard cannot decide: the step waits")
	return admission.Verdict{Decision: admission.Hold, Reason: Undecided, Detail: err.Error(), Until: g.now().Add(10 * time.Second), InOrder: true}
}

// denied is what no person's approval can allow. A guard that may protect the sensor,
// where a fact is missing to tell, is added to unclear.
func (g *Guard) denied(ctx context.Context, a admission.Request, policy *Policy, unclear *unclear) admission.Verdict {
	for _, p := range policy.Protected {
		if !lists(p.Deny, a) {
			continue
		}
		truth, missing, err := g.applies(ctx, p.Scope, p.match, a)
		switch {
		case err != nil:
			return misjudged(p.Name, err)
		case truth == expression.True:
			return admission.Verdict{Decision: admission.Deny, Reason: Protected, Guard: p.Name, Detail: p.Why}
		case truth == expression.Unknown:
			unclear.add(p.Name, missing)
		}
	}
	if r, bound := policy.pathRule(a); bound && !lists(r.Allow, a) {
		return admission.Verdict{Decision: admission.Deny, Reason: NotAllowed, Guard: r.Path, Detail: fmt.Sprintf("rules of %q may not use %s", a.RulePath, a.Action)}
	}
	return admission.Verdict{}
}

// pathRule returns the bounds of the rule by the path of its file. If there are bounds, a
// rule without a known file may use no action.
func (p *Policy) pathRule(a admission.Request) (PathRule, bool) {
	if a.Rule == "" || len(p.Rules) == 0 {
		return PathRule{}, false
	}
	if a.RulePath == "" {
		return PathRule{Path: "(unknown)"}, true
	}
	i := slices.IndexFunc(p.Rules, func(r PathRule) bool { return underPath(r.Path, a.RulePath) })
	if i < 0 {
		return PathRule{}, false
	}
	return p.Rules[i], true
}

// acting decides what is only recorded. An undo that may not act now waits: it
// must not be lost.
func acting(a admission.Request, p *Policy, dry *Switch) admission.Verdict {
	off := admission.Verdict{Decision: admission.Shadow, Reason: DryRun}
	if a.Undo {
		off.Decision = admission.Hold
	}
	switch r, bound := p.pathRule(a); {
	case p.DryRun:
		off.Guard, off.Detail = "guards file", "dry_run is set"
		return off
	case dry != nil:
		off.Guard, off.Detail = dry.By, dry.detail()
		return off
	case a.Undo:
		return admission.Verdict{}
	case a.Shadow:
		return admission.Verdict{Decision: admission.Shadow, Reason: RuleShadow, Guard: a.Rule}
	case bound && r.Mode == "shadow":
		return admission.Verdict{Decision: admission.Shadow, Reason: RuleShadow, Guard: r.Path}
	}
	return admission.Verdict{}
}

func (g *Guard) hours(ctx context.Context, a admission.Request, p *Policy, unclear *unclear) admission.Verdict {
	for _, w := range p.Hours {
		if !lists(w.Actions, a) || !w.governs(a) {
			continue
		}
		open, next := w.span.open(g.now())
		if open {
			continue
		}
		truth, missing, err := g.applies(ctx, w.Scope, w.match, a)
		switch {
		case err != nil:
			return misjudged(w.Name, err)
		case truth == expression.False:
			continue
		case truth == expression.Unknown:
			unclear.add(w.Name, missing)
			continue
		}
		v := admission.Verdict{Decision: admission.Hold, Reason: Hours, Guard: w.Name, Until: next, Detail: fmt.Sprintf("%s only from %s to %s", a.Action, w.From, w.To)}
		if w.Otherwise == "deny" {
			v.Decision, v.Until = admission.Deny, time.Time{}
		}
		return v
	}
	return admission.Verdict{}
}

// governs reports whether the window is for the rule; one whose file is not known
// is governed by every window.
func (w Window) governs(a admission.Request) bool {
	return len(w.Rules) == 0 || a.RulePath == "" ||
		slices.ContainsFunc(w.Rules, func(pattern string) bool { return underPath(pattern, a.RulePath) })
}

// unapproved holds the step for approvals and counts the answers itself.
func (g *Guard) unapproved(ctx context.Context, a admission.Request, p *Policy) admission.Verdict {
	if a.Undo {
		return admission.Verdict{}
	}
	for _, c := range p.Approvals {
		if !lists(c.Actions, a) {
			continue
		}
		truth, missing, err := g.applies(ctx, c.Scope, c.match, a)
		if err != nil {
			return misjudged(c.Name, err)
		}
		if truth == expression.False {
			continue
		}
		agreed, refusedBy := c.count(a.Answers, a.Submitter)
		switch {
		case refusedBy != "":
			return admission.Verdict{Decision: admission.Deny, Reason: Refused, Guard: c.Name, Detail: refusedBy + " refused"}
		case agreed < max(c.Require, 1):
			need := admission.Approval{From: c.From, Require: max(c.Require, 1), Within: cmp.Or(c.Within, 24*time.Hour)}
			v := admission.Verdict{Decision: admission.Hold, Reason: Unapproved, Guard: c.Name, Approval: &need, Detail: fmt.Sprintf("%d of %d agreed", agreed, need.Require)}
			if truth == expression.Unknown {
				v.Reason, v.Detail, v.Missing = UnknownFact, notKnown(missing)+"; "+v.Detail, missing
			}
			return v
		}
	}
	return admission.Verdict{}
}

// count counts the different people who may answer and agreed.
func (c Consent) count(answers []admission.Answer, submitter string) (agreed int, refusedBy string) {
	people := map[string]bool{}
	for _, a := range answers {
		if a.By == "" || !c.asked(a) || a.Allow && strings.EqualFold(a.By, submitter) {
			continue
		}
		if !a.Allow {
			return 0, a.By
		}
		people[a.By] = true
	}
	return len(people), ""
}

func (c Consent) asked(a admission.Answer) bool {
	return len(c.From) == 0 || slices.Contains(c.From, a.By) ||
		slices.ContainsFunc(a.Groups, func(group string) bool { return slices.Contains(c.From, group) })
}

// ErrStopped is what Stopped returns after Stop.
var ErrStopped = errors.New("stopped")

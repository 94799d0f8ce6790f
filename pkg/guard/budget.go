package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/seal"
)

// ledger is the record of one budget: what was spent in the window.
type ledger struct {
	Entries []entry `json:"entries,omitempty"`
}

// entry is one unit: a sensor, or one run of an action.
type entry struct {
	Unit string    `json:"unit"`
	Of   string    `json:"of,omitempty"` // the server or tenant whose budget it is from; empty: that of all
	At   time.Time `json:"at"`           // when it was spent last
}

// Spent is how far a budget is used up.
type Spent struct {
	Name  string        `json:"name"`
	Used  int           `json:"used"`
	Limit int           `json:"limit"`
	Per   time.Duration `json:"per"`
	Frees time.Time     `json:"frees,omitzero"` // when the oldest unit is free again; zero: no unit is spent
}

func (l Limit) size() int { return max(l.Sensors, l.Times) }

func (l Limit) key() string { return "guard.budget." + l.Name }

// unit is what the step takes from the budget. Asking again takes the same unit.
func (l Limit) unit(a admission.Request) string {
	if l.Sensors > 0 {
		return "sensor/" + a.Endpoint.String()
	}
	return fmt.Sprintf("%s/%s/%d", a.Job, a.Step, a.Item)
}

// take spends a unit of a server's or tenant's part if the window has room there, and
// returns when it will have.
func (l *ledger) take(unit, of string, size int, per time.Duration, now time.Time) (ok bool, frees time.Time) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return !now.Before(e.At.Add(per)) })
	own := slices.IndexFunc(l.Entries, func(e entry) bool { return e.Unit == unit && e.Of == of })
	if own >= 0 {
		// It is counted once: the window is sliding, and starts at the latest act.
		l.Entries = append(slices.Delete(l.Entries, own, own+1), entry{unit, of, now})
		return true, time.Time{}
	}
	part := l.part(of)
	if len(part.Entries) < size {
		l.Entries = append(l.Entries, entry{unit, of, now})
		return true, time.Time{}
	}
	return false, part.frees(per)
}

// part is what was spent of one part. What was spent before there were parts counts in
// each.
func (l ledger) part(of string) (part ledger) {
	for _, e := range l.Entries {
		if e.Of == of || e.Of == "" {
			part.Entries = append(part.Entries, e)
		}
	}
	return part
}

// fullest is the part of which most is spent.
func (l ledger) fullest() ledger {
	most := l.part("")
	for _, e := range l.Entries {
		if part := l.part(e.Of); len(part.Entries) > len(most.Entries) {
			most = part
		}
	}
	return most
}

func (l ledger) frees(per time.Duration) time.Time {
	if len(l.Entries) == 0 {
		return time.Time{}
	}
	return slices.MinFunc(l.Entries, func(a, b entry) int { return a.At.Compare(b.At) }).At.Add(per)
}

// part is the part of the budget from which the step takes.
func (l Limit) part(a admission.Request, tenant string) string {
	switch l.Each {
	case "server":
		return "server/" + a.Endpoint.Server
	case "tenant":
		return "tenant/" + tenant
	}
	return ""
}

// limits are the budgets that the step falls under; none for an undo. A budget that may be
// one of them, where a fact is missing to tell, is added to unclear.
func (g *Guard) limits(ctx context.Context, a admission.Request, p *Policy, unclear *unclear) (limits []Limit, v admission.Verdict) {
	if a.Undo {
		return nil, v
	}
	for _, l := range p.Budgets {
		if !lists(l.Actions, a) {
			continue
		}
		truth, missing, err := g.applies(ctx, l.Scope, l.match, a)
		switch {
		case err != nil:
			return nil, misjudged(l.Name, err)
		case truth == expression.False:
			continue
		case truth == expression.Unknown:
			unclear.add(l.Name, missing)
		}
		if f := g.factsOf(ctx, a); l.Each == "tenant" && f.Unknown()&events.FactTenant != 0 {
			unclear.add(l.Name, events.FactTenant)
		}
		limits = append(limits, l)
	}
	return limits, v
}

// spend takes the step's unit from each budget that it falls under. All of them are
// checked first, so that a step which one budget holds does not use up others. A step
// that still waits for an approval spends no unit.
func (g *Guard) spend(ctx context.Context, a admission.Request, limits []Limit) admission.Verdict {
	if len(limits) == 0 {
		return admission.Verdict{}
	}
	if err := g.budgets.take(ctx); err != nil {
		return g.undecided(err)
	}
	defer g.budgets.give()
	if a.Pending || len(limits) > 1 {
		if v := g.charge(ctx, limits, a, true); v.Decision != admission.Allow || a.Pending {
			return v
		}
	}
	return g.charge(ctx, limits, a, false)
}

// charge takes one unit from each budget, or looks whether it could, up to the
// first that has none.
func (g *Guard) charge(ctx context.Context, limits []Limit, a admission.Request, dry bool) admission.Verdict {
	for _, l := range limits {
		if v := g.take(ctx, l, a, dry); v.Decision != admission.Allow {
			return v
		}
	}
	return admission.Verdict{}
}

func (g *Guard) take(ctx context.Context, l Limit, a admission.Request, dry bool) admission.Verdict {
	var ok bool
	var frees time.Time
	tenant := ""
	if l.Each == "tenant" {
		f := g.factsOf(ctx, a)
		tenant = f.Tenant
	}
	err := update(ctx, g.store, l.key(), func(b *ledger) bool {
		ok, frees = b.take(l.unit(a), l.part(a, tenant), l.size(), l.Per, g.now().UTC())
		return ok && !dry
	})
	if err != nil {
		return g.undecided(err)
	}
	if ok {
		return admission.Verdict{}
	}
	v := admission.Verdict{Decision: admission.Hold, Reason: Budget, Guard: l.Name, Until: frees, Detail: fmt.Sprintf("%d within %v are used up", l.size(), l.Per)}
	switch l.OnExceed {
	case "deny":
		v.Decision, v.Until = admission.Deny, time.Time{}
	case "shadow":
		v.Decision, v.Until = admission.Shadow, time.Time{}
	}
	return v
}

func (g *Guard) spent(ctx context.Context, l Limit) (Spent, error) {
	b, _, err := read[ledger](ctx, g.store, l.key())
	if errors.Is(err, seal.ErrForeign) {
		return Spent{Name: l.Name, Used: l.size(), Limit: l.size(), Per: l.Per}, nil
	}
	if err != nil {
		return Spent{}, err
	}
	b.Entries = slices.DeleteFunc(b.Entries, func(e entry) bool { return !g.now().Before(e.At.Add(l.Per)) })
	b = b.fullest()
	return Spent{Name: l.Name, Used: len(b.Entries), Limit: l.size(), Per: l.Per, Frees: b.frees(l.Per)}, nil
}

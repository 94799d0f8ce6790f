package guard

import (
	"context"
	"errors"
	"slices"
	"time"

	"edrpipe/pkg/seal"
)

// quota is the record of one rule's limit.
type quota struct {
	Entries []unit `json:"entries,omitempty"`
}

// unit is the answer that a job got.
type unit struct {
	Unit    string    `json:"unit"`
	At      time.Time `json:"at"`
	Pending bool      `json:"pending,omitempty"` // its event is not settled yet, and may come again
	Until   time.Time `json:"until,omitzero"`    // when there is room again; zero: the unit counts
}

// maxUnits bounds the units beyond the limit that are remembered; the oldest go first.
const maxUnits = 1000

// counts reports whether the unit takes from what the limit allows now.
func (u unit) counts(now time.Time, per time.Duration) bool {
	return u.Until.IsZero() && now.Before(u.At.Add(per))
}

// take gives a unit the answer that it has, or else a new one; changed: it is to be written.
func (q *quota) take(name string, limit int, per time.Duration, now time.Time) (until time.Time, changed bool) {
	if i := slices.IndexFunc(q.Entries, func(u unit) bool { return u.Unit == name }); i >= 0 {
		settled := !q.Entries[i].Pending // its acknowledgement was lost: it is here again
		q.Entries[i].Pending = true
		return q.Entries[i].Until, settled
	}
	q.Entries = slices.DeleteFunc(q.Entries, func(u unit) bool { return !u.Pending && !u.counts(now, per) })
	n, first := 0, now.Add(per)
	for _, u := range q.Entries {
		if u.counts(now, per) {
			n++
			first = earlier(first, u.At.Add(per))
		}
	}
	if n >= limit {
		until = first
	}
	if len(q.Entries) >= limit+maxUnits {
		q.Entries = slices.Delete(q.Entries, 0, 1)
	}
	q.Entries = append(q.Entries, unit{Unit: name, At: now, Pending: true, Until: until})
	return until, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func quotaKey(rule string) string { return "guard.quota." + rule }

// Quota counts a unit against a limit of a rule, over all replicas, and returns when
// there is room again if there is none. The same unit counts once and has the same answer
// until it is settled. A record that does not verify has no room, and the time is zero.
func (g *Guard) Quota(ctx context.Context, rule, name string, limit int, per time.Duration) (ok bool, until time.Time, err error) {
	if err := g.budgets.take(ctx); err != nil {
		return false, time.Time{}, err
	}
	defer g.budgets.give()
	err = update(ctx, g.store, quotaKey(rule), func(q *quota) (changed bool) {
		until, changed = q.take(name, limit, per, g.now().UTC())
		return changed
	})
	if errors.Is(err, seal.ErrForeign) {
		return false, time.Time{}, nil
	}
	return err == nil && until.IsZero(), until, err
}

// Settled ends the memory of answers to units of a rule whose events do not come again.
func (g *Guard) Settled(ctx context.Context, rule string, per time.Duration, names []string) error {
	if err := g.budgets.take(ctx); err != nil {
		return err
	}
	defer g.budgets.give()
	return update(ctx, g.store, quotaKey(rule), func(q *quota) (changed bool) {
		now := g.now().UTC()
		return q.settle(names, per, now)
	})
}

// settle ends the memory of answers to units, and reports whether it is new.
func (q *quota) settle(names []string, per time.Duration, now time.Time) (changed bool) {
	for i, u := range q.Entries {
		if u.Pending && slices.Contains(names, u.Unit) {
			q.Entries[i].Pending, changed = false, true
		}
	}
	q.Entries = slices.DeleteFunc(q.Entries, func(u unit) bool { return !u.Pending && !u.counts(now, per) })
	return changed
}

// A Count is a record in which units are counted against a limit, of a caller who keeps
// it. The zero Count is empty; it is written as JSON.
type Count struct{ quota }

// Take counts a unit and returns when there is room again if there is none. The same unit
// counts once and has the same answer until it is settled. changed: it is to be written.
func (c *Count) Take(unit string, limit int, per time.Duration, now time.Time) (until time.Time, changed bool) {
	return c.take(unit, limit, per, now)
}

// Settle ends the memory of answers to units whose events do not come again.
func (c *Count) Settle(units []string, per time.Duration, now time.Time) (changed bool) {
	return c.settle(units, per, now)
}

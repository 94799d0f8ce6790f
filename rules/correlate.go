package rules

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/seal"
	"edrpipe/pkg/shares"
)

// Types of correlation.
const (
	EventCount      = "event_count"      // at least GTE events
	ValueCount      = "value_count"      // at least GTE different values of Field
	Temporal        = "temporal"         // matches of all Rules
	TemporalOrdered = "temporal_ordered" // matches of all Rules, in that order
)

// A Correlator turns matches into the matches of rules that need several. It
// counts by the time of the events, not by when they come: an event may be late
// by as much as the rule's timespan. A redelivered event counts once, and is
// answered as it was the first time, whatever other events came in between, until
// Settled says that what it fired for is recorded. Each group fires once in a
// timespan.
//
// Its memory is bounded. Per group it keeps MaxEvents events; when that is
// reached the oldest goes, those first whose value a later one repeats. A count
// above the bound could never be reached: loading refuses it. How many groups are
// kept is the State's to bound. Events of groups for which an endpoint's share has no
// room count together, one window for each rule and endpoint. That is complete no later
// than one of the groups would be, and perhaps too early: such a match has a Doubt.
type Correlator struct {
	State State
	Keep  time.Duration    // how long a group is kept after its last event, at least three timespans; 0: 24 h
	Now   func() time.Time // for events whose arrival is not known; nil: time.Now

	Several bool // several servers are configured: groups keep them apart
}

// acrossTenants is the value of Correlate.Across by which tenants count together.
const acrossTenants = "tenants"

// MaxEvents is how many events a group of a correlation remembers.
const MaxEvents = 1000

// Correlate gives the matches to act on: those of rules without correlation as
// they are, and one of each correlating rule that the event completes. matches
// are those of one event, as Set.Match gives them. An error is the State's:
// nothing may be settled, the event has to come again.
func (c *Correlator) Correlate(ctx context.Context, set *Set, matches []Match) ([]Match, []Failure, error) {
	var fired []Match
	var failures []Failure
	asked := map[string]bool{} // rule and the rule that it was fed by: once per event, whatever refers to what
	ask := func(r *Compiled, m Match) error {
		full, err := c.observe(ctx, r, m)
		if f, ok := err.(Failure); ok {
			failures = append(failures, f)
			set.events.Failures.Add(1)
			return nil
		}
		if full != nil {
			fired = append(fired, *full)
		}
		return err
	}
	for _, m := range matches {
		if m.Rule.Correlate == nil {
			fired = append(fired, m)
		} else if err := ask(set.byID[m.Rule.ID], m); err != nil {
			return nil, nil, err
		}
	}
	for i := 0; i < len(fired); i++ { // grows as rules that are fed fire in turn
		m := fired[i]
		if m.Rule.Correlate != nil && m.Correlated == nil { // it was not completed
			continue
		}
		for _, r := range set.feeds[m.Rule.ID] {
			if pair := r.ID + " " + m.Rule.ID; !asked[pair] {
				asked[pair] = true
				if err := ask(r, m); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	return fired, failures, nil
}

// observe adds the event of m to its group of the rule's, and gives the rule's
// match if that completes it.
func (c *Correlator) observe(ctx context.Context, r *Compiled, m Match) (*Match, error) {
	if r.Rule != m.Rule { // fed by another rule: its own condition holds too
		if ok, err := r.wants(m.Event); !ok || err != nil {
			return nil, failureOf(r, m.Event, err)
		}
	}
	if m.Event.Event.Time.IsZero() { // it has no place in a window, not even with max_age: any
		return &Match{Rule: r.Rule, Event: m.Event, Refused: TimeUnknown}, nil
	}
	group, value, err := r.groupOf(m.Event, c.Several)
	if err != nil {
		return nil, failure(r, m.Event, err)
	}
	o := observed{Event: m.Event.Event.ID, At: c.timeOf(m.Event), Rule: m.Rule.ID, Value: value, Sensor: looseid.ID(m.Event.Sensor.ID), Doubt: m.Doubt != ""}
	owner := ownerOf(shares.Correlation, r.ID, m.Event)
	w := shares.Record{Key: stateKey("correlate", append([]any{r.ID}, group...)...), Owner: owner}
	var fired *firing
	add := func(w *window) error { fired = w.add(r.Correlate, o); return nil }
	err = c.update(ctx, r, w, add)
	var full *shares.Full
	if errors.As(err, &full) {
		o.Doubt = true
		w = crowd("correlate", owner, place(c.Several, r.Correlate.Across == acrossTenants, m.Event, r.GroupBy)...)
		err = c.update(ctx, r, w, add)
	}
	var none *shares.Full
	switch {
	case errors.Is(err, seal.ErrForeign): // what came before is not known: nothing is completed
		return &Match{Rule: r.Rule, Event: m.Event, Refused: StateForeign}, nil
	case errors.As(err, &none):
		return &Match{Rule: r.Rule, Event: m.Event, Refused: CorrelationLost, Full: none}, nil
	case err != nil:
		return nil, err
	case fired == nil && full != nil:
		return &Match{Rule: r.Rule, Event: m.Event, Refused: CorrelationFull, Full: full}, nil
	case fired == nil:
		return nil, nil
	}
	complete, err := r.match(m.Event)
	if err != nil {
		return nil, failure(r, m.Event, err)
	}
	complete.Correlated, complete.window = fired.Found.forSteps(), w
	if fired.Found.Doubt {
		complete.Doubt = "events of several groups were counted together, because the endpoint has used up its share of what correlations remember: whether one group alone is complete is not known"
	}
	return &complete, nil
}

// pendingFor is how long a record is kept for an answer that is not settled:
// longer than events wait on a bus.
const pendingFor = 30 * 24 * time.Hour

// defaultKeep is how long a group is kept: as long as the bus keeps events by default.
const defaultKeep = 24 * time.Hour

var errPending = errors.New("a firing is not settled")

// update changes a window of the rule's. An error of change leaves it as it was.
func (c *Correlator) update(ctx context.Context, r *Compiled, of shares.Record, change func(*window) error) error {
	keep := max(3*r.Correlate.Timespan, cmp.Or(c.Keep, defaultKeep))
	if of.Together { // new groups begin again as soon as nothing can count together any more
		keep = 3 * r.Correlate.Timespan
	}
	err := c.replace(ctx, of, keep, func(w *window) error {
		if err := change(w); err != nil {
			return err
		}
		if w.pending() {
			return errPending
		}
		return nil
	})
	if errors.Is(err, errPending) {
		err = c.replace(ctx, of, max(keep, pendingFor), change)
	}
	if err != nil && !errors.Is(err, errNothingNew) {
		return fmt.Errorf("correlation of rule %s: %w", r.ID, err)
	}
	return nil
}

func (c *Correlator) replace(ctx context.Context, of shares.Record, keep time.Duration, change func(*window) error) error {
	return c.State.Update(ctx, of, keep, func(data []byte) ([]byte, error) {
		var w window
		if data != nil {
			if err := seal.Strict(data, &w); err != nil {
				return nil, fmt.Errorf("its record: %w: %w", seal.ErrForeign, err)
			}
		}
		if err := change(&w); err != nil {
			return nil, err
		}
		return json.Marshal(w)
	})
}

// Settled ends the memory of what an event fired for, once all that its matches ask
// for is recorded: if the event comes again, it fires no more. matches are those
// that Correlate gave; those without a correlation are passed over.
func (c *Correlator) Settled(ctx context.Context, set *Set, matches []Match) error {
	for _, m := range matches {
		r := set.byID[m.Rule.ID]
		if m.Correlated == nil || r == nil {
			continue
		}
		err := c.update(ctx, r, m.window, func(w *window) error {
			if !w.settle(m.Event.Event.ID) {
				return errNothingNew
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// wants reports whether the rule's own "on" and "when" hold for an event.
func (r *Compiled) wants(e *events.Event) (bool, error) {
	if !r.Names(e) {
		return false, nil
	}
	truth, _, err := r.holds(e)
	return truth == expression.True, err
}

// groupOf evaluates group_by and field. With several servers what is of one of them has
// its name, and tenants are kept apart unless the rule says otherwise.
func (r *Compiled) groupOf(e *events.Event, several bool) (group []any, value string, err error) {
	for _, p := range r.GroupBy {
		v, err := p.Eval(e)
		if err != nil {
			return nil, "", &partError{"correlate.group_by", err}
		}
		group = append(group, v)
	}
	if r.Field != nil {
		v, err := r.Field.Eval(e)
		if err != nil {
			return nil, "", &partError{"correlate.field", err}
		}
		value = fmt.Sprint(v)
		if several && ofServer(r.Field) {
			value = e.Sensor.Server + "/" + value
		}
	}
	return append(group, place(several, r.Correlate.Across == acrossTenants, e, r.GroupBy)...), value, nil
}

// timeOf is when the event happened. A time ahead of the event's arrival is a
// sensor's wrong clock: arrival counts, or one event would outdate all others.
func (c *Correlator) timeOf(e *events.Event) time.Time {
	at, received := e.Event.Time, e.Event.Received
	if received.IsZero() {
		received = time.Now()
		if c.Now != nil {
			received = c.Now()
		}
	}
	if at.After(received) {
		return received
	}
	return at
}

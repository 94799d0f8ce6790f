package rules

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"edrpipe/pkg/events"
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
// answered as it was the first time. Each group fires once in a timespan.
//
// Its memory is bounded. Per group it keeps MaxEvents events; when that is
// reached the oldest goes, those first whose value a later one repeats. A count
// above the bound could never be reached: loading refuses it. How many groups are
// kept is the State's to bound: one that it drops starts to count anew.
type Correlator struct {
	State State
	Now   func() time.Time // for events without a time; nil: time.Now
}

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
	group, value, err := r.groupOf(m.Event)
	if err != nil {
		return nil, failure(r, m.Event, err)
	}
	o := observed{Event: m.Event.Event.ID, At: c.timeOf(m.Event), Rule: m.Rule.ID, Value: value, Sensor: m.Event.Sensor.ID}
	var w window
	var fires bool
	span := r.Correlate.Timespan
	err = c.State.Update(ctx, stateKey("correlate", append([]any{r.ID}, group...)...), 3*span, func(data []byte) ([]byte, error) {
		w = window{}
		if data != nil {
			if err := json.Unmarshal(data, &w); err != nil {
				return nil, fmt.Errorf("its record: %w", err)
			}
		}
		fires = w.add(r.Correlate, o)
		return json.Marshal(w)
	})
	if err != nil {
		return nil, fmt.Errorf("correlation of rule %s: %w", r.ID, err)
	}
	if !fires {
		return nil, nil
	}
	full, err := r.match(m.Event)
	if err != nil {
		return nil, failure(r, m.Event, err)
	}
	full.Correlated = w.summary(r.Correlate, o)
	return &full, nil
}

// wants tells whether the rule's own "on" and "when" hold for an event.
func (r *Compiled) wants(e *events.Event) (bool, error) {
	if !r.Names(e) {
		return false, nil
	}
	return r.holds(e)
}

// groupOf evaluates group_by and field.
func (r *Compiled) groupOf(e *events.Event) (group []any, value string, err error) {
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
	}
	return group, value, nil
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
	if at.IsZero() || at.After(received) {
		return received
	}
	return at
}

// observed is an event as a window remembers it.
type observed struct {
	Event  string    `json:"id"`
	At     time.Time `json:"at"`
	Rule   string    `json:"rule,omitempty"`
	Value  string    `json:"value,omitempty"`
	Sensor int       `json:"sensor,omitempty"`
}

// window is the recent events of one group of a rule.
type window struct {
	Events []observed `json:"events"` // by time; those of one time in the order in which they came
	Fired  time.Time  `json:"fired,omitzero"`
	By     string     `json:"by,omitempty"` // the event that completed it
}

// add puts the event into its place and tells whether it completes the rule's
// condition.
func (w *window) add(c *Correlate, o observed) bool {
	if w.By != "" && w.By == o.Event {
		return true // once more, as before
	}
	known := slices.ContainsFunc(w.Events, func(e observed) bool { return e.Event == o.Event && e.Rule == o.Rule })
	if !known {
		at, _ := slices.BinarySearchFunc(w.Events, o, func(e, o observed) int {
			if e.At.After(o.At) {
				return 1
			}
			return -1
		})
		w.Events = slices.Insert(w.Events, at, o)
		w.forget(c)
	}
	if known || !slices.Contains(w.Events, o) { // too late to count
		return false
	}
	if !w.Fired.IsZero() && o.At.Sub(w.Fired).Abs() <= c.Timespan {
		return false // it has fired for these
	}
	if !w.complete(c, o) {
		return false
	}
	w.Fired, w.By = o.At, o.Event
	return true
}

// forget drops what no later event can count together with, an event being late
// by a timespan at most, and what is beyond the bound: there the oldest event
// whose value (or rule) a later one has too, so that a flood of one value does
// not wash the others away.
func (w *window) forget(c *Correlate) {
	newest := w.Events[len(w.Events)-1].At
	first := slices.IndexFunc(w.Events, func(e observed) bool { return newest.Sub(e.At) <= 2*c.Timespan })
	w.Events = slices.Delete(w.Events, 0, first)
	if len(w.Events) <= MaxEvents {
		return
	}
	seen := map[string]int{}
	for _, e := range w.Events {
		seen[e.key(c)]++
	}
	repeated := slices.IndexFunc(w.Events, func(e observed) bool { return seen[e.key(c)] > 1 })
	oldest := max(repeated, 0)
	w.Events = slices.Delete(w.Events, oldest, oldest+1)
}

// key is what has to be different for two events to count as two.
func (o observed) key(c *Correlate) string {
	switch c.Type {
	case EventCount:
		return o.Event
	case ValueCount:
		return o.Value
	}
	return o.Rule
}

// complete tells whether some stretch of the rule's timespan that holds o has
// all that the rule wants.
func (w *window) complete(c *Correlate, o observed) bool {
	var near []observed
	for _, e := range w.Events {
		if e.At.Sub(o.At).Abs() <= c.Timespan {
			near = append(near, e)
		}
	}
	at := slices.Index(near, o)
	if c.Type == TemporalOrdered {
		return inOrder(c, near, at)
	}
	wanted := c.GTE
	if c.Type == Temporal {
		wanted = len(different(c.Rules, func(id string) string { return id }))
	}
	seen := map[string]int{}
	start := 0
	for end, e := range near {
		seen[e.key(c)]++
		for e.At.Sub(near[start].At) > c.Timespan {
			k := near[start].key(c)
			if seen[k]--; seen[k] == 0 {
				delete(seen, k)
			}
			start++
		}
		if start <= at && at <= end && len(seen) >= wanted {
			return true
		}
	}
	return false
}

// inOrder tells whether the event at the given place, with the nearest fitting
// ones before and after it, makes the rules' order within the timespan.
func inOrder(c *Correlate, near []observed, at int) bool {
	for k, id := range c.Rules {
		if near[at].Rule != id {
			continue
		}
		first, last := at, at
		before, after := k-1, k+1
		for i := at - 1; i >= 0 && before >= 0; i-- {
			if near[i].Rule == c.Rules[before] {
				first, before = i, before-1
			}
		}
		for i := at + 1; i < len(near) && after < len(c.Rules); i++ {
			if near[i].Rule == c.Rules[after] {
				last, after = i, after+1
			}
		}
		if before < 0 && after == len(c.Rules) && near[last].At.Sub(near[first].At) <= c.Timespan {
			return true
		}
	}
	return false
}

// different are the different values, in the order in which they appear.
func different[T any](list []T, of func(T) string) []string {
	var values []string
	seen := map[string]bool{}
	for _, o := range list {
		if v := of(o); !seen[v] {
			seen[v] = true
			values = append(values, v)
		}
	}
	return values
}

// maxListed bounds the lists in what steps see of a correlation.
const maxListed = 100

// summary is what steps see as "correlated": of the events within a timespan of
// the one that completed it.
func (w *window) summary(c *Correlate, o observed) map[string]any {
	var near []observed
	for _, e := range w.Events {
		if e.At.Sub(o.At).Abs() <= c.Timespan {
			near = append(near, e)
		}
	}
	if len(near) == 0 {
		near = []observed{o}
	}
	values := different(near, func(o observed) string { return o.Value })
	count := len(different(near, func(o observed) string { return o.Event }))
	if c.Type == ValueCount {
		count = len(values)
	} else {
		values = []string{}
	}
	sensors := []int{}
	for _, e := range near {
		if e.Sensor != 0 && !slices.Contains(sensors, e.Sensor) && len(sensors) < maxListed {
			sensors = append(sensors, e.Sensor)
		}
	}
	return map[string]any{
		"count":   count,
		"values":  values[:min(len(values), maxListed)],
		"sensors": sensors,
		"first":   near[0].At,
		"last":    near[len(near)-1].At,
	}
}

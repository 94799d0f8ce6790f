package rules

import (
	"slices"
	"time"

	"edrpipe/internal/looseid"
)

// observed is an event as a window remembers it.
type observed struct {
	Event  string     `json:"id"`
	At     time.Time  `json:"at"`
	Rule   string     `json:"rule,omitempty"`
	Value  string     `json:"value,omitempty"`
	Sensor looseid.ID `json:"sensor,omitempty"` // a number in records of before
	Doubt  bool       `json:"doubt,omitempty"`  // it counts together with events of other groups
}

// window is the recent events of one group of a rule, and what they fired.
type window struct {
	Events  []observed `json:"events"` // by time; those of one time in the order in which they came
	Firings []*firing  `json:"firings,omitempty"`

	// Of records that remembered one firing only; read into Firings.
	Fired time.Time `json:"fired,omitzero"`
	By    string    `json:"by,omitempty"`
}

// firing is an event that completed the rule's condition.
type firing struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
	Found *found    `json:"found,omitempty"` // what it found; nil: its match is recorded
}

// add puts the event into its place, and returns what it fires: nil, or the same as
// before for an event that comes again before it is settled.
func (w *window) add(c *Correlate, o observed) *firing {
	w.readOldForm(c)
	for _, f := range w.Firings {
		if f.Event == o.Event && f.Found != nil {
			return f
		}
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
		return nil
	}
	fired := slices.ContainsFunc(w.Firings, func(f *firing) bool { return o.At.Sub(f.At).Abs() <= c.Timespan })
	if fired || !w.complete(c, o) { // it has fired for these, or not yet
		return nil
	}
	f := &firing{Event: o.Event, At: o.At, Found: w.found(c, o)}
	w.Firings = append(w.Firings, f)
	w.Firings = w.Firings[max(0, len(w.Firings)-MaxEvents):]
	return f
}

// pending reports whether something that fired is not recorded yet.
func (w *window) pending() bool {
	return slices.ContainsFunc(w.Firings, func(f *firing) bool { return f.Found != nil })
}

// settle marks what the event fired as recorded, and reports whether it was not.
func (w *window) settle(event string) bool {
	for _, f := range w.Firings {
		if f.Event == event && f.Found != nil {
			f.Found = nil
			return true
		}
	}
	return false
}

func (w *window) readOldForm(c *Correlate) {
	if w.Fired.IsZero() {
		return
	}
	w.Firings = append(w.Firings, &firing{Event: w.By, At: w.Fired, Found: w.found(c, observed{Event: w.By, At: w.Fired})})
	w.Fired, w.By = time.Time{}, ""
}

// forget drops what no later event can count together with, an event being late
// by a timespan at most, and what is beyond the bound: there the oldest event
// whose value (or rule) a later one has too, so that a flood of one value does
// not wash the others away.
func (w *window) forget(c *Correlate) {
	newest := w.Events[len(w.Events)-1].At
	first := slices.IndexFunc(w.Events, func(e observed) bool { return newest.Sub(e.At) <= 2*c.Timespan })
	w.Events = slices.Delete(w.Events, 0, first)
	w.Firings = slices.DeleteFunc(w.Firings, func(f *firing) bool { return f.Found == nil && newest.Sub(f.At) > 3*c.Timespan })
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

// complete reports whether some stretch of the rule's timespan that holds o has
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

// inOrder reports whether the event at the given place, with the nearest fitting
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

// found is what a correlation found when it fired.
type found struct {
	Count   int          `json:"count"`
	Values  []string     `json:"values"`
	Sensors []looseid.ID `json:"sensors"`
	First   time.Time    `json:"first"`
	Last    time.Time    `json:"last"`
	Doubt   bool         `json:"doubt,omitempty"` // one of the events has it
}

// forSteps is what steps see as "correlated": see CorrelatedType.
func (f *found) forSteps() map[string]any {
	return map[string]any{"count": f.Count, "values": f.Values, "sensors": looseid.Texts(f.Sensors), "first": f.First, "last": f.Last}
}

// found sums up the events within a timespan of the one that completed the
// condition.
func (w *window) found(c *Correlate, o observed) *found {
	var near []observed
	for _, e := range w.Events {
		if e.At.Sub(o.At).Abs() <= c.Timespan {
			near = append(near, e)
		}
	}
	if len(near) == 0 { // forgotten since, in a record of the old form
		near = []observed{o}
	}
	f := &found{Values: []string{}, Sensors: []looseid.ID{}, First: near[0].At, Last: near[len(near)-1].At}
	f.Count = len(different(near, func(o observed) string { return o.Event }))
	if c.Type == ValueCount {
		values := different(near, func(o observed) string { return o.Value })
		f.Count, f.Values = len(values), values[:min(len(values), maxListed)]
	}
	for _, e := range near {
		f.Doubt = f.Doubt || e.Doubt
		if e.Sensor != "" && !slices.Contains(f.Sensors, e.Sensor) && len(f.Sensors) < maxListed {
			f.Sensors = append(f.Sensors, e.Sensor)
		}
	}
	return f
}

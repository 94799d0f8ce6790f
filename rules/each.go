package rules

import (
	"slices"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// A rule with "sensors: each" acts on each endpoint of an event that names several. Their
// facts differ, so its condition, its variables and its keys are evaluated for each
// endpoint by itself, on a copy of the event that names only that one.

// actsOnEach reports whether the rule is to be asked about each endpoint of the event. A
// correlation counts the event as a whole.
func (r *Compiled) actsOnEach(e *events.Event) bool {
	if r.Sensors == nil || !r.Sensors.Each || r.Correlate != nil || e.Sensor.Named() < 2 {
		return false
	}
	return r.tooOld(e.Event.Time, e.Event.Age) == "" && (r.Sensors.Max == 0 || e.Sensor.Named() <= r.Sensors.Max)
}

// endpointsApart are copies of an event that names several endpoints, one for each, with
// the facts of that one.
func endpointsApart(e *events.Event, enrich func(*events.Event)) []*events.Event {
	apart := e.Apart()
	if enrich != nil {
		for _, one := range apart {
			enrich(one)
		}
	}
	return apart
}

// askEach runs the condition for each endpoint. What is false of the event as it came is
// false of each of them: the index has left the event out for other rules, too.
func (d *decided) askEach(r *Compiled, e *events.Event, apart []*events.Event) {
	if truth, _, err := r.holds(e); truth == expression.False && err == nil {
		return
	}
	for _, one := range apart {
		d.ask(r, one)
	}
}

// endpointFields are fields whose values tell the endpoints of one event apart.
var endpointFields = []string{"sensor", "sensor.id", "sensor.hostname"}

// oneForAll reports whether the rule acts on each endpoint of an event and its suppression
// key lets it act on the first only. What the key reads of vars is not known.
func (r *Compiled) oneForAll() bool {
	if r.Sensors == nil || !r.Sensors.Each || len(r.Key) == 0 || r.Suppress.For <= 0 {
		return false
	}
	return !slices.ContainsFunc(r.Key, func(p *expression.Program) bool {
		return p == nil || p.Reads("vars") || slices.ContainsFunc(p.Fields(), func(f expression.FieldRead) bool { return slices.Contains(endpointFields, f.Path) })
	})
}

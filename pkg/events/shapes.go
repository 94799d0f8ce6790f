package events

import (
	"slices"
	"strings"
)

// An eventType is a type of event and how it is read. The name is in memory that
// outlives the message that it was read from.
type eventType struct {
	name  string
	shape *shape
}

// types holds every type of event that comes as JSON.
var types = allTypes()

func allTypes() map[string]eventType {
	all := map[string]eventType{}
	for _, shapes := range []map[string]*shape{serverShapes(), forwarderShapes(), cloudShapes()} {
		for name, s := range shapes {
			all[name] = eventType{name, s}
		}
	}
	return all
}

// A family reads types that are not known by name but by how they begin: what a
// newer server sends is an event of the right kind, if not a fully read one.
type family struct {
	prefix string
	shape  *shape
}

var families = []family{
	{"audit.log.", newShape(Audit, commonRows)},
	{"events.partition.", newShape(Other, commonRows)},
	{"ingress.event.", newShape(Other, actorRows, commonRows).ofUnknownType()},
	{"endpoint.event.", newShape(Other, cloudRows, cloudProcessRows).ofUnknownType()},
	{cloudAlertPrefix, cloudAlert.ofUnknownType()},
	{"alert.", newShape(AlertRaised, alertRows, commonRows, hitRows, processDocRows).ofUnknownType()},
	{"", newShape(Other, commonRows).ofUnknownType()},
}

// typeNamed is the type with a canonical name.
func typeNamed(name string) eventType {
	if t, known := types[name]; known {
		return t
	}
	for _, f := range families {
		if strings.HasPrefix(name, f.prefix) {
			return eventType{strings.Clone(name), f.shape}
		}
	}
	panic("events: the last family takes every type")
}

// everyShape holds all shapes by their numbers.
var everyShape = numberedShapes()

func numberedShapes() []*shape {
	var all []*shape
	add := func(s *shape) {
		if !slices.Contains(all, s) {
			s.number, s.bit = len(all), bit(s.kind)
			all = append(all, s)
		}
	}
	for _, t := range types {
		add(t.shape)
	}
	for _, f := range families {
		add(f.shape)
	}
	return all
}

// fullDictionary has every key that a table reads.
var fullDictionary = newDictionary(keysOfSteps(func(s *shape) []step { return s.steps }))

// keysOfSteps are the keys of some steps of each shape, each once, and the
// envelopes'.
func keysOfSteps(steps func(*shape) []step) []key {
	seen := map[key]bool{}
	var keys []key
	add := func(more []key) {
		for _, k := range more {
			if !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	add(envelopeKeys)
	for _, s := range everyShape {
		for _, st := range steps(s) {
			add(st.keys)
		}
	}
	return keys
}

package events

import "strings"

// shapes holds every type of event that comes as JSON.
var shapes = allShapes()

func allShapes() map[string]*shape {
	all := serverShapes()
	for _, more := range []map[string]*shape{forwarderShapes(), cloudShapes()} {
		for name, s := range more {
			all[name] = s
		}
	}
	return all
}

// typeNames has the types' names in memory of their own.
var typeNames = func() map[string]string {
	names := make(map[string]string, len(shapes))
	for name := range shapes {
		names[name] = name
	}
	return names
}()

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

// shapeOf is a type's shape, with the type's name in memory that outlives the
// message that the name was read from.
func shapeOf(typ string) (*shape, string) {
	if name, known := typeNames[typ]; known {
		return shapes[name], name
	}
	for _, f := range families {
		if strings.HasPrefix(typ, f.prefix) {
			return f.shape, strings.Clone(typ)
		}
	}
	panic("events: the last family takes every type")
}

// everyShape iterates over all shapes; one that several types have may come again.
func everyShape(yield func(*shape) bool) {
	for _, s := range shapes {
		if !yield(s) {
			return
		}
	}
	for _, f := range families {
		if !yield(f.shape) {
			return
		}
	}
}

// fullDictionary has every key that a table reads.
var fullDictionary = newDictionary(keysOfShapes(func(*step) bool { return true }))

// keysOfShapes are the keys of the chosen steps, each once, and the envelopes'.
func keysOfShapes(chosen func(*step) bool) []key {
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
	for s := range everyShape {
		for i := range s.steps {
			if chosen(&s.steps[i]) {
				add(s.steps[i].keys)
			}
		}
	}
	return keys
}

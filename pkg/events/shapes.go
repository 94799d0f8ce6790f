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

// shapeOf is a type's shape, with the type's name in memory that outlives the
// message that the name was read from.
func shapeOf(typ string) (*shape, string) {
	if name, known := typeNames[typ]; known {
		return shapes[name], name
	}
	return unknownShape, strings.Clone(typ)
}

// unknownShape reads an event whose type nobody knows: where and when it was.
var unknownShape = func() *shape {
	s := newShape(Other, commonRows)
	s.unknown = true
	return s
}()

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
	for _, s := range shapes {
		for i := range s.steps {
			if chosen(&s.steps[i]) {
				add(s.steps[i].keys)
			}
		}
	}
	for i := range unknownShape.steps {
		if chosen(&unknownShape.steps[i]) {
			add(unknownShape.steps[i].keys)
		}
	}
	return keys
}

package events

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Which event type carries which field. The answer is computed from the decoding
// tables, so that it cannot differ from what the decoders do: a rule that reads a
// field which its events never carry could never fire.

// Carries reports whether events of a type may carry a field, by its path
// (process.name), or any field of a part (process). Unknown types carry what their
// family is read for. Every type carries event, raw and sensor: the facts of an
// endpoint come from elsewhere than its events.
func Carries(typ, path string) bool {
	carried, known := carriedFields()[typ]
	if !known {
		carried = carriedFields()[familyOf(typ)]
	}
	return carried[path]
}

// CarriedFields lists the fields that events of a type carry, by path.
func CarriedFields(typ string) []string {
	var paths []string
	for path := range carriedFields()[typ] {
		if fields[path] != nil {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// FamilyTypes lists the families of types that have no entry in Types: a prefix and a
// star.
func FamilyTypes() []TypeInfo {
	var all []TypeInfo
	for _, f := range families {
		all = append(all, TypeInfo{f.prefix + "*", f.shape.kind})
	}
	return all
}

func familyOf(typ string) string {
	for _, f := range families {
		if strings.HasPrefix(typ, f.prefix) {
			return f.prefix + "*"
		}
	}
	return "*"
}

// carriedFields holds, by type, the paths of fields and of parts with any.
var carriedFields = sync.OnceValue(func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for name, t := range types {
		all[name] = t.shape.carried()
	}
	for _, f := range families {
		all[f.prefix+"*"] = f.shape.carried()
	}
	for typ, paths := range sensorFields() {
		for _, path := range paths {
			all[typ][path] = true
		}
	}
	for typ, carried := range all {
		if carriesImage(typ, typeNamed(typ).shape.kind, carried) {
			addImage(carried)
		}
		addDerived(carried)
		addParts(carried)
	}
	return all
})

// carried are the fields that a shape's steps fill, and those that every event has.
func (s *shape) carried() map[string]bool {
	carried := map[string]bool{"raw": true}
	for path := range fields {
		if strings.HasPrefix(path, "event.") || strings.HasPrefix(path, "sensor.") {
			carried[path] = true
		}
	}
	for _, st := range s.steps {
		for _, path := range st.targets {
			carried[path] = true
		}
	}
	return carried
}

// addImage adds the metadata of the image.
func addImage(carried map[string]bool) {
	for path := range fields {
		if strings.HasPrefix(path, imagePart) {
			carried[path] = true
		}
	}
}

// addDerived adds what follows from fields that are carried.
func addDerived(carried map[string]bool) {
	for changed := true; changed; {
		changed = false
		for path, sources := range derived {
			if !carried[path] && slices.ContainsFunc(sources, func(s string) bool { return carried[s] }) {
				carried[path], changed = true, true
			}
		}
	}
}

// addParts adds the parts that have a field: process.parent for process.parent.pid.
func addParts(carried map[string]bool) {
	for _, path := range slices.Collect(maps.Keys(carried)) {
		for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
			carried[path[:i]] = true
		}
	}
}

// Stated reports whether events of a type say a field of the sensor themselves. Raw
// sensor events say which endpoint it was and no facts of it: those come from the
// endpoint's server or from the operator's endpoints file.
func Stated(typ, path string) bool {
	switch path {
	case "sensor.id", "sensor.ids", "sensor.server", "sensor.hostname", "sensor.hostnames":
		return true
	}
	if _, fact := FactOf(path); fact && strings.HasPrefix(typ, "ingress.event.") {
		return false
	}
	return slices.ContainsFunc(typeNamed(typ).shape.steps, func(st step) bool { return slices.Contains(st.targets, path) })
}

// Possible reports whether events of a type can come: one that the decoders know, or
// of a family whose types are open, such as the audit log's.
func Possible(typ string) bool {
	if _, known := types[typ]; known {
		return true
	}
	return slices.ContainsFunc(openFamilies, func(prefix string) bool {
		return len(typ) > len(prefix) && strings.HasPrefix(typ, prefix)
	})
}

// openFamilies are the beginnings of types whose names nobody has listed.
var openFamilies = []string{"audit.log.", "events.partition.", cloudAlertPrefix}

package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// A test event must be one that decoding could give: its type exists, its fields are
// those that events of the type carry, and none contradicts another. A test with any
// other event shows what can never happen.

// misfits reports keys that an event does not have, and values that they cannot have.
func (b *eventBuilder) misfits(path strictyaml.Path, given map[string]any) {
	rest := maps.Clone(given)
	for _, key := range shorthand {
		if _, there := rest[key]; there {
			b.shorthandMisfits(path, key, rest[key])
			delete(rest, key)
		}
	}
	for _, m := range expression.EventType.Misfits(rest) {
		switch at := strings.Join(m.Path, "."); {
		case m.Key && at == "event.age", looseSensor(at):
			continue
		case m.Key:
			m.Message = fmt.Sprintf("an event has no %q here", m.Path[len(m.Path)-1])
		}
		b.misfit(under(path, m.Path), m)
	}
}

// looseSensor reports whether a path is that of a sensor's id, which may be written as
// a number.
func looseSensor(path string) bool {
	return path == "sensor.id" || path == "sensor.ids" || strings.HasPrefix(path, "sensor.ids.")
}

func (b *eventBuilder) shorthandMisfits(path strictyaml.Path, key string, value any) {
	meta, _ := expression.EventType.Field("event")
	if key == "age" {
		if _, text := value.(string); !text {
			b.report(path.Key(key), "age must be a duration", "write it like 90s, 15m or 7d")
		}
		return
	}
	for _, m := range meta.Type.Misfits(map[string]any{key: value}) {
		b.misfit(path.Key(key), m)
	}
}

func (b *eventBuilder) misfit(path strictyaml.Path, m expression.Misfit) {
	b.problems = append(b.problems, b.test.misfit(path, m))
}

// misfit is what is wrong with a value of the test, placed.
func (t *Test) misfit(path strictyaml.Path, m expression.Misfit) strictyaml.Problem {
	p := t.doc.At(path, m.Message)
	if m.Key {
		p = t.doc.AtKey(path, m.Message)
	}
	p.Hint = m.Hint
	return p
}

// impossible reports what no event of its type is: given is as it was written, with
// shorthand moved into event.
func (b *eventBuilder) impossible(path strictyaml.Path, given map[string]any, written *events.Event) {
	typ := written.Event.Type
	if !b.typeExists(path, written.Event) {
		return
	}
	for _, field := range leavesOf("", given, expression.EventType) {
		if message, hint := notCarried(typ, field); message != "" {
			p := b.test.doc.AtKey(under(path, strings.Split(field, ".")), message)
			p.Hint = hint
			b.problems = append(b.problems, p)
		}
	}
	for _, c := range written.Contradictions() {
		b.report(under(path, strings.Split(c.Path, ".")), "no event is like this: "+c.String(), "leave "+c.Path+" out: it follows from "+strings.Join(c.From, ", "))
	}
}

// typeExists reports whether there are events of this type, and of this kind.
func (b *eventBuilder) typeExists(path strictyaml.Path, meta events.Meta) bool {
	at := path.Key("type")
	if !b.test.doc.Has(at) {
		at = path.Key("event").Key("type")
	}
	var names []string
	kind := ""
	for _, t := range events.Types() {
		names = append(names, t.Name)
		if t.Name == meta.Type {
			kind = t.Kind
		}
	}
	switch {
	case meta.Type == "":
		b.report(path, "the event has no type", "for instance type: ingress.event.procstart")
		return false
	case !events.Possible(meta.Type):
		hint := cmp.Or(didYouMean(meta.Type, names), "the reference of rules lists the types of events")
		if slices.Contains(events.Kinds, meta.Type) {
			hint = fmt.Sprintf("this is a kind of event; its types are %s", strings.Join(typesOfKind(meta.Type), ", "))
		}
		b.report(at, fmt.Sprintf("there is no event type %q", meta.Type), hint)
		return false
	case meta.Kind != "" && kind != "" && meta.Kind != kind:
		b.report(path, fmt.Sprintf("events of %s are of kind %s, not %s", meta.Type, kind, meta.Kind), "leave kind out: it follows from the type")
	}
	return true
}

func typesOfKind(kind string) []string {
	var names []string
	for _, t := range events.Types() {
		if t.Kind == kind {
			names = append(names, t.Name)
		}
	}
	return names
}

// notCarried says that events of a type do not have a field.
func notCarried(typ, field string) (message, hint string) {
	part, _, _ := strings.Cut(field, ".")
	if part == "event" || part == "raw" {
		return "", ""
	}
	message = fmt.Sprintf("events of %s do not carry %s", typ, field)
	if part == "sensor" {
		if events.Stated(typ, field) {
			return "", ""
		}
		if _, fact := events.FactOf(field); fact {
			hint = fmt.Sprintf("facts of the endpoint stand beside the events: endpoint: { %s: … }", strings.TrimPrefix(field, "sensor."))
		}
		return message, hint
	}
	if events.Carries(typ, field) {
		return "", ""
	}
	return message, carriedBy(field)
}

// leavesOf lists the fields that a written event gives, by path.
func leavesOf(prefix string, m map[string]any, t *expression.Type) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		f, ok := t.Field(key)
		if !ok {
			continue
		}
		if inner, nested := m[key].(map[string]any); nested && f.Type.Kind == expression.Object {
			all = append(all, leavesOf(prefix+key+".", inner, f.Type)...)
			continue
		}
		all = append(all, prefix+key)
	}
	return all
}

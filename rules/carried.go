package rules

import (
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/rules/index"
)

// eventTypes is the event types that a rule's "on" names. It is the Carrier of the
// rule's expressions.
type eventTypes struct {
	on    []string
	types []events.TypeInfo // those that the decoders know, and families of others
}

// newEventTypes finds the types that "on" names.
func newEventTypes(on []string) *eventTypes {
	t := &eventTypes{on: on}
	for _, known := range append(events.Types(), events.FamilyTypes()...) {
		if slices.ContainsFunc(on, func(name string) bool { return index.Names(name, known.Name, known.Kind) }) {
			t.types = append(t.types, known)
		}
	}
	return t
}

// Lacks implements expression.Carrier.
func (t *eventTypes) Lacks(path string) (message, hint string, lacks bool) {
	if len(t.types) == 0 || slices.ContainsFunc(t.types, func(typ events.TypeInfo) bool { return events.Carries(typ.Name, path) }) {
		return "", "", false
	}
	return fmt.Sprintf("no event of %s carries %s", strings.Join(t.on, ", "), path), carriedBy(path), true
}

// Words implements expression.Carrier.
func (t *eventTypes) Words(path string) []string {
	var words []string
	for _, typ := range t.types {
		if strings.HasSuffix(typ.Name, "*") && path == "event.type" {
			return nil // any type of the family
		}
		switch path {
		case "event.kind":
			words = append(words, typ.Kind)
		case "event.type":
			words = append(words, typ.Name)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// carriedBy names the kinds of event that carry a field.
func carriedBy(path string) string {
	var kinds []string
	for _, kind := range events.Kinds {
		if slices.ContainsFunc(events.Types(), func(typ events.TypeInfo) bool { return typ.Kind == kind && events.Carries(typ.Name, path) }) {
			kinds = append(kinds, kind)
		}
	}
	return "it is carried by " + strings.Join(kinds, ", ")
}

// without names the types that carry a field and those that do not, a kind where
// all its types are alike. Events of Carbon Black Cloud count only where "on" names
// nothing else, or names them: few have both products.
func (t *eventTypes) without(path string) (carrying, lacking []string) {
	types := t.counted()
	for _, kind := range events.Kinds {
		var with, without []string
		for _, typ := range types {
			switch {
			case typ.Kind != kind:
			case events.Carries(typ.Name, path):
				with = append(with, typ.Name)
			default:
				without = append(without, typ.Name)
			}
		}
		switch {
		case len(without) == 0 && len(with) > 0:
			carrying = append(carrying, kind)
		case len(with) == 0 && len(without) > 0:
			lacking = append(lacking, kind)
		default:
			carrying, lacking = append(carrying, with...), append(lacking, without...)
		}
	}
	return carrying, lacking
}

func (t *eventTypes) counted() []events.TypeInfo {
	var counted []events.TypeInfo
	for _, typ := range t.types {
		family := strings.HasSuffix(typ.Name, "*")
		if !family && (!events.IsCloud(typ.Name) || slices.Contains(t.on, typ.Name)) {
			counted = append(counted, typ)
		}
	}
	if len(counted) == 0 {
		return t.types
	}
	return counted
}

// partial warns of fields in a condition that only some of the rule's event types
// carry, unless the condition copes with that.
func (t *eventTypes) partial(program *expression.Program) []expression.Error {
	var found []expression.Error
	var said []string
	for _, f := range program.Fields() {
		if f.Path == "event.type" || f.Path == "event.kind" {
			return nil // it tells the types apart
		}
		if f.Aware || slices.Contains(said, f.Path) {
			continue
		}
		if carrying, lacking := t.without(f.Path); len(lacking) > 0 {
			said = append(said, f.Path)
			message := fmt.Sprintf("events of %s do not carry %s", several(lacking), f.Path)
			if len(carrying) < len(lacking) {
				message = fmt.Sprintf("only events of %s carry %s", several(carrying), f.Path)
			}
			if len(carrying) == 0 {
				message = fmt.Sprintf("only events of Carbon Black Cloud carry %s", f.Path)
			}
			found = append(found, expression.Error{
				Offset: f.Offset, Length: f.Length, Message: message,
				Hint: "name those that carry it in on, or say has(" + f.Path + ")",
			})
		}
	}
	return found
}

// several lists a few names and counts the rest.
func several(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

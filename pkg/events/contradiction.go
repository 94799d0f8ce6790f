package events

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// A Contradiction is a field that decoding would have given another value.
type Contradiction struct {
	Path    string // of the field
	Given   any
	Derived any
	From    []string // the fields that say otherwise
}

// String says what contradicts what.
func (c Contradiction) String() string {
	return fmt.Sprintf("%s is %s, and %s says %s", c.Path, quoted(c.Given), strings.Join(c.From, " and "), quoted(c.Derived))
}

func quoted(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// Contradictions lists the fields of an event as it was written that no decoded event
// could have beside its others: a name unlike the path, a process id unlike the GUID.
func (e *Event) Contradictions() []Contradiction {
	var found []Contradiction
	for _, path := range slices.Sorted(maps.Keys(derived)) {
		f := fields[path]
		given := Field{f}.Any(e)
		switch {
		case path == "event.age" || path == "process.start": // of the clock; more exact in a GUID than elsewhere
			continue
		case reflect.ValueOf(given).IsZero():
			continue
		}
		c := *e
		reflect.NewAt(f.typ, f.ptr(&c)).Elem().SetZero()
		c.Complete()
		says := Field{f}.Any(&c)
		if reflect.ValueOf(says).IsZero() || equalFold(given, says) {
			continue
		}
		found = append(found, Contradiction{path, given, says, givenOf(e, derived[path])})
	}
	return found
}

// givenOf are the fields among paths that have a value.
func givenOf(e *Event, paths []string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return reflect.ValueOf(Field{fields[p]}.Any(e)).IsZero() })
}

func equalFold(a, b any) bool {
	x, isText := a.(string)
	y, both := b.(string)
	return isText && both && strings.EqualFold(x, y) || a == b
}

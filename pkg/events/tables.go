package events

import (
	"reflect"
	"slices"
	"strings"
)

// A row describes how one part of the Event is read from JSON: the fields that it fills,
// their keys (the first with a value wins), and the object. All JSON decoding is rows,
// and the Scanner runs a subset of the same rows, so that the two cannot disagree.
type row struct {
	to   string      // field paths, separated by blanks
	from string      // keys, separated by blanks, in order of preference
	as   *conversion // how a plain row reads its one field
	in   scope       // where a plain row looks
	do   func(*reading)
}

// A scope is where in a message a key is looked for.
type scope uint8

const (
	docThenTop scope = iota // a hit's document, then the message around it
	onlyTop
	onlyDoc
)

// A conversion reads a token into a field of one type. It reports whether the
// token had a usable value; when not, the row's next key gets its chance.
type conversion struct {
	kind reflect.Kind
	set  func(x *reading, f *field, v *values, t token) bool
}

// A step is a row made ready.
type step struct {
	targets []string
	keys    []key
	do      func(*reading)
}

// A shape is how one type of event is read.
type shape struct {
	kind    Kind
	stage   string
	docs    bool // one event for each of the message's docs
	unknown bool // a type without a decoder
	steps   []step

	number int     // in everyShape
	bit    KindSet // of the kind
}

// newShape joins tables into a shape; of rows for the same field an earlier one wins.
func newShape(kind Kind, tables ...[]row) *shape {
	s := &shape{kind: kind}
	taken := map[string]bool{}
	for _, table := range tables {
		for _, r := range table {
			if taken[r.to] {
				continue
			}
			taken[r.to] = true
			s.steps = append(s.steps, r.step())
		}
	}
	return s
}

func (r row) step() step {
	s := step{targets: strings.Fields(r.to), keys: keysOf(strings.Fields(r.from)...), do: r.do}
	if s.do == nil {
		s.do = plainStep(fieldOf(r.to, r.as.kind), r.as.set, s.keys, r.in)
	}
	return s
}

func plainStep(f *field, set func(*reading, *field, *values, token) bool, keys []key, in scope) func(*reading) {
	return func(x *reading) {
		if in != onlyTop && x.hasDoc {
			for _, k := range keys {
				if t := x.doc.get(k); t.kind > nullToken && set(x, f, &x.doc, t) {
					return
				}
			}
		}
		if in == onlyDoc {
			return
		}
		for _, k := range keys {
			if t := x.top.get(k); t.kind > nullToken && set(x, f, &x.top, t) {
				return
			}
		}
	}
}

// with returns a copy of the shape for another stage and way of holding documents.
func (s shape) with(stage string, docs bool) *shape {
	s.stage, s.docs = stage, docs
	return &s
}

// ofUnknownType returns a copy of the shape that adds FlawUnknownType to the event.
func (s shape) ofUnknownType() *shape {
	s.unknown = true
	return &s
}

// stepsFor are the steps that fill any of the wanted fields.
func (s *shape) stepsFor(wanted map[string]bool) []step {
	var steps []step
	for _, st := range s.steps {
		if slices.ContainsFunc(st.targets, func(t string) bool { return wanted[t] }) {
			steps = append(steps, st)
		}
	}
	return steps
}

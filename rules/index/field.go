package index

import (
	"reflect"
	"time"

	"edrpipe/pkg/events"
)

// field is a leaf of events.Event that conditions can be indexed by: a text, a
// number or a boolean. Times, durations, lists and maps are not; comparisons
// with them are left to the expression.
type field struct {
	path string // as rules write it: process.parent.name
	typ  fieldType
	id   int   // position in the table of fields
	at   []int // where it is in events.Event, for reflect
}

// fieldType says how the value of a field is held.
type fieldType uint8

const (
	textType fieldType = iota
	intType
	floatType
	boolType
)

// value is the value of one field of one event: text of text fields, int of
// integers and booleans (1 is true), float of floating-point numbers.
type value struct {
	text  string
	int   int64
	float float64
}

// table holds every field by its path and by its id. It is computed from the
// struct, so that a new field of the event can be indexed without further ado.
var table = newFieldTable()

type fieldTable struct {
	byPath map[string]*field
	byID   []*field
	leaves map[string]bool // every path that can be read without failing, indexed or not
}

func newFieldTable() *fieldTable {
	t := &fieldTable{byPath: map[string]*field{}, leaves: map[string]bool{}}
	t.walk(reflect.TypeFor[events.Event](), "", nil)
	return t
}

func (t *fieldTable) walk(st reflect.Type, prefix string, at []int) {
	for i := range st.NumField() {
		sf := st.Field(i)
		path := prefix + sf.Tag.Get("expr")
		pos := append(append([]int(nil), at...), i)
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[time.Time]() {
			t.walk(sf.Type, path+".", pos)
			continue
		}
		t.leaves[path] = true
		ft, ok := typeOf(sf.Type)
		if !ok {
			continue
		}
		f := &field{path: path, typ: ft, id: len(t.byID), at: pos}
		t.byPath[path] = f
		t.byID = append(t.byID, f)
	}
}

func typeOf(t reflect.Type) (fieldType, bool) {
	if t == reflect.TypeFor[time.Duration]() {
		return 0, false
	}
	switch t.Kind() {
	case reflect.String:
		return textType, true
	case reflect.Int, reflect.Int64:
		return intType, true
	case reflect.Float64:
		return floatType, true
	case reflect.Bool:
		return boolType, true
	}
	return 0, false
}

// read takes the field's value from the event (a reflect.Value of the struct,
// made once per event: this is on the hot path).
func (f *field) read(event reflect.Value) value {
	for _, i := range f.at {
		event = event.Field(i)
	}
	switch f.typ {
	case textType:
		return value{text: event.String()}
	case intType:
		return value{int: event.Int()}
	case floatType:
		return value{float: event.Float()}
	}
	if event.Bool() {
		return value{int: 1}
	}
	return value{}
}

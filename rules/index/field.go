package index

import (
	"reflect"
	"strings"
	"time"

	"edrpipe/pkg/events"
)

// field is a leaf of events.Event that conditions can be indexed by: a text, a
// number or a boolean. Times, durations, lists and maps are not; comparisons
// with them are left to the expression.
type field struct {
	path string // as rules write it: process.parent.name
	typ  fieldType
	in   events.Field
}

// fieldType is the representation of a field's value.
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

// table holds every field by its path. It is computed from the struct, so that a
// new field of the event can be indexed without further ado.
var table = newFieldTable()

type fieldTable struct {
	byPath map[string]*field
	leaves map[string]bool // every path that can be read without failing, indexed or not
}

func newFieldTable() *fieldTable {
	t := &fieldTable{byPath: map[string]*field{}, leaves: map[string]bool{}}
	t.walk(reflect.TypeFor[events.Event](), "")
	return t
}

func (t *fieldTable) walk(st reflect.Type, prefix string) {
	for i := range st.NumField() {
		sf := st.Field(i)
		path := prefix + sf.Tag.Get("expr")
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[time.Time]() {
			t.walk(sf.Type, path+".")
			continue
		}
		t.leaves[path] = true
		if _, fact := events.FactOf(path); fact && strings.HasPrefix(path, "sensor.") {
			continue // filled in after the lookup, and possibly unknown
		}
		ft, ok := typeOf(sf.Type)
		if !ok {
			continue
		}
		in, _ := events.FieldOf(path)
		t.byPath[path] = &field{path: path, typ: ft, in: in}
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

// read takes the field's value from the event.
func (f *field) read(e *events.Event) value {
	switch f.typ {
	case textType:
		return value{text: f.in.Text(e)}
	case intType:
		return value{int: f.in.Int(e)}
	case floatType:
		return value{float: f.in.Float(e)}
	}
	if f.in.Bool(e) {
		return value{int: 1}
	}
	return value{}
}

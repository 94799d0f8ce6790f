package index

import (
	"reflect"
	"time"

	"edrpipe/pkg/events"
)

// Field is a leaf of events.Event that conditions can be indexed by: a text, a
// number or a boolean. Times, durations, lists and maps have no Field;
// comparisons with them are left to the expression.
type Field struct {
	Path string // as rules write it: process.parent.name
	Type FieldType
	id   int   // position in the table of fields
	at   []int // where it is in events.Event, for reflect
}

// FieldType says how the value of a Field is held in a Value.
type FieldType uint8

// Types of fields.
const (
	Text FieldType = iota
	Int
	Float
	Bool
)

// Value is the value of one field of one event: Text of text fields, Int of
// integers and booleans (1 is true), Float of floating-point numbers.
type Value struct {
	Text  string
	Int   int64
	Float float64
}

// table holds every Field by its path and by its id. It is computed from the
// struct, so that a new field of the event can be indexed without further ado.
var table = newFieldTable()

type fieldTable struct {
	byPath map[string]*Field
	byID   []*Field
	leaves map[string]bool // every path that can be read without failing, Field or not
}

func newFieldTable() *fieldTable {
	t := &fieldTable{byPath: map[string]*Field{}, leaves: map[string]bool{}}
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
		f := &Field{Path: path, Type: ft, id: len(t.byID), at: pos}
		t.byPath[path] = f
		t.byID = append(t.byID, f)
	}
}

func typeOf(t reflect.Type) (FieldType, bool) {
	if t == reflect.TypeFor[time.Duration]() {
		return 0, false
	}
	switch t.Kind() {
	case reflect.String:
		return Text, true
	case reflect.Int, reflect.Int64:
		return Int, true
	case reflect.Float64:
		return Float, true
	case reflect.Bool:
		return Bool, true
	}
	return 0, false
}

// read takes the field's value from the event (a reflect.Value of the struct,
// made once per event: this is on the hot path).
func (f *Field) read(event reflect.Value) Value {
	for _, i := range f.at {
		event = event.Field(i)
	}
	switch f.Type {
	case Text:
		return Value{Text: event.String()}
	case Int:
		return Value{Int: event.Int()}
	case Float:
		return Value{Float: event.Float()}
	}
	if event.Bool() {
		return Value{Int: 1}
	}
	return Value{}
}

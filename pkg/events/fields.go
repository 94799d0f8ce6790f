package events

import (
	"fmt"
	"reflect"
	"time"
	"unsafe"
)

// A field is one leaf of Event by the name that rules use. Decoding tables and
// the Scanner name fields by path and reach them by offset: this is what makes
// a table row cheap enough to be data. It is the only place of the package that
// computes addresses; the types are checked when the tables are built.
type field struct {
	path   string
	offset uintptr
	typ    reflect.Type
	form   string // of the form tag, see normal.go
}

func (f *field) ptr(e *Event) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(e), f.offset) }

// textAt is the text field at an offset that fields has.
func textAt(e *Event, offset uintptr) *string {
	return (*string)(unsafe.Add(unsafe.Pointer(e), offset))
}

func (f *field) text(e *Event) *string   { return textAt(e, f.offset) }
func (f *field) integer(e *Event) *int   { return (*int)(f.ptr(e)) }
func (f *field) long(e *Event) *int64    { return (*int64)(f.ptr(e)) }
func (f *field) float(e *Event) *float64 { return (*float64)(f.ptr(e)) }
func (f *field) flag(e *Event) *bool     { return (*bool)(f.ptr(e)) }
func (f *field) time(e *Event) *time.Time {
	return (*time.Time)(f.ptr(e))
}

// fields holds every leaf by path.
var fields = leaves(reflect.TypeFor[Event](), "", 0, map[string]*field{})

func leaves(t reflect.Type, prefix string, base uintptr, into map[string]*field) map[string]*field {
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("expr")
		if name == "" {
			continue
		}
		path, offset := prefix+name, base+sf.Offset
		if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[time.Time]() {
			leaves(sf.Type, path+".", offset, into)
			continue
		}
		into[path] = &field{path: path, offset: offset, typ: sf.Type, form: sf.Tag.Get("form")}
	}
	return into
}

// fieldOf finds a field that a table names. A wrong name or type is a fault of
// this package, found by the first test that imports it.
func fieldOf(path string, kind reflect.Kind) *field {
	f := fields[path]
	if f == nil {
		panic("events: no field " + path)
	}
	if f.typ.Kind() != kind {
		panic(fmt.Sprintf("events: field %s is %s, not %s", path, f.typ, kind))
	}
	return f
}

// A Field reads one field of events by the name that rules use, "process.name".
// It costs no more than reading the struct's field.
type Field struct{ f *field }

// FieldOf finds a field by its path. Structs are none, their fields are.
func FieldOf(path string) (Field, bool) {
	f, ok := fields[path]
	return Field{f}, ok
}

// Path is the name that rules use.
func (f Field) Path() string { return f.f.path }

// Type is the field's Go type.
func (f Field) Type() reflect.Type { return f.f.typ }

// Text is the value of a field of kind string.
func (f Field) Text(e *Event) string { return *f.f.text(e) }

// Int is the value of a field of kind int or int64.
func (f Field) Int(e *Event) int64 {
	if f.f.typ.Kind() == reflect.Int {
		return int64(*f.f.integer(e))
	}
	return *f.f.long(e)
}

// Float is the value of a field of kind float64.
func (f Field) Float(e *Event) float64 { return *f.f.float(e) }

// Bool is the value of a field of kind bool.
func (f Field) Bool(e *Event) bool { return *f.f.flag(e) }

// Time is the value of a time.
func (f Field) Time(e *Event) time.Time { return *f.f.time(e) }

// Any is the value of any field.
func (f Field) Any(e *Event) any { return reflect.NewAt(f.f.typ, f.f.ptr(e)).Elem().Interface() }

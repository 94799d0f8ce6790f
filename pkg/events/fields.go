package events

import (
	"fmt"
	"reflect"
	"strings"
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
}

func (f *field) ptr(e *Event) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(e), f.offset) }

func (f *field) text(e *Event) *string   { return (*string)(f.ptr(e)) }
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
		into[path] = &field{path: path, offset: offset, typ: sf.Type}
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

// under reports whether path is name or lies in the struct called name.
func under(path, name string) bool {
	return path == name || strings.HasPrefix(path, name) && path[len(name)] == '.'
}

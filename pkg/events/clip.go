package events

import (
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Clip returns a copy of the event without Raw, in which no text is much longer than
// most bytes, and the fields that were cut. A cut text ends with a mark, so that it is
// never mistaken for a path, name or command line of an endpoint.
func (e *Event) Clip(most int) (*Event, []string) {
	out := *e
	var cut []string
	if len(out.Raw) > 0 || out.original != nil {
		cut = append(cut, "raw")
	}
	out.Raw, out.original = nil, nil
	clipValue(reflect.ValueOf(&out).Elem(), "", most, &cut)
	return &out, cut
}

// clipValue cuts the texts of v, which belongs to the copy; path is v's field.
func clipValue(v reflect.Value, path string, most int, cut *[]string) {
	switch v.Kind() {
	case reflect.String:
		if text := v.String(); len(text) > most {
			v.SetString(clipped(text, most))
			*cut = append(*cut, path)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				clipValue(v.Field(i), fieldPath(path, f), most, cut)
			}
		}
	case reflect.Slice:
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // the original's elements are others'
		reflect.Copy(own, v)
		if !v.IsNil() {
			v.Set(own)
		}
		for i := range v.Len() {
			clipValue(v.Index(i), fmt.Sprintf("%s[%d]", path, i), most, cut)
		}
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		own := reflect.New(v.Type().Elem())
		own.Elem().Set(v.Elem())
		v.Set(own)
		clipValue(own.Elem(), path, most, cut)
	}
}

func fieldPath(path string, f reflect.StructField) string {
	name := f.Tag.Get("expr")
	if name == "" || f.Anonymous {
		return path
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// clipped is the beginning of a text, with a mark that it went on.
func clipped(text string, most int) string {
	n := most
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return fmt.Sprintf("%s… [clipped, %d bytes]", text[:n], len(text))
}

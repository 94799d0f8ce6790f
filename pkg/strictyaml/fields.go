package strictyaml

import (
	"reflect"
	"strings"
)

// field is a struct field as its tag describes it.
type field struct {
	name     string
	aliases  []string
	required bool
	index    []int
	tag      reflect.StructTag
}

// Field describes a key of a mapping: for schemas and documentation.
type Field struct {
	Name     string
	Aliases  []string
	Required bool
	Type     reflect.Type
	Tag      reflect.StructTag // enum, min, max, list, doc, default
}

// Fields lists the keys that a struct takes, in the order declared.
func Fields(t reflect.Type) []Field {
	var all []Field
	for _, f := range fieldsOf(t) {
		all = append(all, Field{f.name, f.aliases, f.required, t.FieldByIndex(f.index).Type, f.tag})
	}
	return all
}

func (d *Decoder) fieldsOf(t reflect.Type) []field {
	if known, ok := d.fields[t]; ok {
		return known
	}
	all := fieldsOf(t)
	d.fields[t] = all
	return all
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if name == "" && options == "inline" {
			for _, inner := range fieldsOf(sf.Type) {
				inner.index = append([]int{i}, inner.index...)
				all = append(all, inner)
			}
			continue
		}
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, index: []int{i}, tag: sf.Tag}
		for option := range strings.SplitSeq(options, ",") {
			if option == "required" {
				f.required = true
			}
			if alias, ok := strings.CutPrefix(option, "alias="); ok {
				f.aliases = append(f.aliases, alias)
			}
		}
		all = append(all, f)
	}
	return all
}

package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// entry is a key of a server's entry, with its value.
type entry struct {
	Key
	value reflect.Value
}

// entries lists the keys of a server's entry: the common ones, then those of its kind.
func (s *Server) entries() []entry {
	var all []entry
	for _, v := range []reflect.Value{reflect.ValueOf(s).Elem(), reflect.ValueOf(s.Own).Elem()} {
		all = append(all, entriesOf(v, "")...)
	}
	return all
}

func entriesOf(v reflect.Value, prefix string) []entry {
	var all []entry
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case f.Type.Kind() == reflect.Struct:
			all = append(all, entriesOf(v.Field(i), prefix+name+".")...)
		default:
			all = append(all, entry{keyOf(f, prefix+name, nil), v.Field(i)})
		}
	}
	return all
}

// exampleServers is the part of the example about several servers, as a comment.
func exampleServers() string {
	var b strings.Builder
	b.WriteString("# Several EDR servers, instead of edr.\nservers:\n")
	for _, kind := range KindNames() {
		s := defaultServer()
		s.Kind, s.Own = kind, kinds[kind]()
		s.write(&b, "kind "+kind, func(e entry) string { return "  # " + e.Doc })
	}
	text := strings.TrimSuffix(b.String(), "\n")
	return "# " + strings.ReplaceAll(text, "\n", "\n# ") + "\n"
}

// printServers writes the entries as they would be in a file.
func printServers(servers []Server, origins Origins) string {
	if len(servers) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("servers:\n")
	for i := range servers {
		servers[i].write(&b, origins[fmt.Sprintf("servers[%d]", i)], func(entry) string { return "" })
	}
	return b.String()
}

// write writes the entry as an item of a YAML list, with a comment before it and one
// behind each key.
func (s *Server) write(b *strings.Builder, comment string, behind func(entry) string) {
	writeEntry(b, comment, s.entries(), behind)
}

// writeEntry writes keys as an item of a YAML list.
func writeEntry(b *strings.Builder, comment string, keys []entry, behind func(entry) string) {
	fmt.Fprintf(b, "  - # %s\n", comment)
	open := ""
	for _, e := range keys {
		indent := "    "
		parent, name, below := strings.Cut(e.Path, ".")
		if !below {
			name = parent
		} else if indent = "      "; parent != open {
			fmt.Fprintf(b, "    %s:\n", parent)
			open = parent
		}
		fmt.Fprintf(b, "%s%s: %s%s\n", indent, name, writeValue(e.value.Interface()), behind(e))
	}
}

// serversSchema is the JSON Schema of the list: one form of entry for each kind.
func serversSchema() *jsonschema.Schema {
	var forms []*jsonschema.Schema
	for _, kind := range KindNames() {
		s := defaultServer()
		s.Own = kinds[kind]()
		form := object(kind)
		for _, e := range s.entries() {
			at, name := form, e.Path
			if parent, child, below := strings.Cut(e.Path, "."); below {
				next, ok := form.Properties.Get(parent)
				if !ok {
					next = object("")
					form.Properties.Set(parent, next)
				}
				at, name = next, child
			}
			at.Properties.Set(name, e.schema())
			if e.Required {
				at.Required = append(at.Required, name)
			}
		}
		word := &jsonschema.Schema{Const: kind}
		form.Properties.Set("kind", word)
		if kind != DefaultKind {
			form.Required = append(form.Required, "kind")
		}
		forms = append(forms, form)
	}
	return &jsonschema.Schema{Type: "array", Description: "EDR servers, instead of edr", Items: &jsonschema.Schema{AnyOf: forms}}
}

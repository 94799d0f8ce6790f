package rules

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Schema is the JSON Schema of rule files for editors, made of the types that
// loading decodes into and of the actions that there are. It is looser than
// loading, which checks expressions too, and never stricter.
func Schema() ([]byte, error) {
	return schemaOf("edrpipe rules", reflect.TypeFor[fileDocument]())
}

// SchemaOfTests is the JSON Schema of *_test.yaml files.
func SchemaOfTests() ([]byte, error) {
	return schemaOf("edrpipe rule tests", reflect.TypeFor[testFileDocument]())
}

// object is a JSON object: what schemas are made of.
type object = map[string]any

func schemaOf(title string, t reflect.Type) ([]byte, error) {
	s := &schemas{defs: object{}}
	root := s.mapping(t)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = title
	root["patternProperties"] = object{"^x-": object{}}
	root["$defs"] = s.defs
	root["x-event-fields"] = carriedFields()
	return json.MarshalIndent(root, "", "  ")
}

// schemas makes the schema of each struct type once, under $defs.
type schemas struct{ defs object }

func (s *schemas) mapping(t reflect.Type) object {
	properties, required := object{}, []string{}
	var either []object // a required key that has aliases
	for _, f := range strictyaml.Fields(t) {
		p := s.field(f)
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			properties[name] = p
		}
		switch {
		case f.Required && len(f.Aliases) > 0:
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				either = append(either, object{"required": []string{name}})
			}
		case f.Required:
			required = append(required, f.Name)
		}
	}
	m := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		m["required"] = required
	}
	if len(either) > 0 {
		m["oneOf"] = either
	}
	return m
}

func (s *schemas) field(f strictyaml.Field) object {
	p := s.value(f.Type, f.Tag)
	if f.Name == "on" && f.Type.Kind() == reflect.Slice && f.Tag.Get("enum") == "" {
		p = s.oneOrMany(object{"type": "string", "examples": eventNames()}, f.Tag)
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		p["description"] = doc
	}
	if value := f.Tag.Get("default"); value != "" {
		p["description"] = fmt.Sprintf("%v (default %s)", p["description"], value)
	}
	return p
}

// carriedFields lists, by event type, the fields that its events carry: what a rule
// on that type may read.
func carriedFields() object {
	all := object{}
	for _, t := range events.Types() {
		all[t.Name] = events.CarriedFields(t.Name)
	}
	return all
}

func eventNames() []string {
	names := append([]string{}, events.Kinds...)
	for _, t := range events.Types() {
		names = append(names, t.Name)
	}
	return names
}

func (s *schemas) oneOrMany(item object, tag reflect.StructTag) object {
	list := object{"type": "array", "items": item}
	if tag.Get("list") == "one" {
		return object{"anyOf": []object{list, item}}
	}
	return list
}

// text is what strict decoding takes for text: any scalar, as it is written.
func text() object { return object{"type": []string{"string", "number", "boolean"}} }

func (s *schemas) value(t reflect.Type, tag reflect.StructTag) object {
	switch {
	case t.Kind() == reflect.Pointer:
		return s.value(t.Elem(), tag)
	case t == reflect.TypeFor[maxAge]():
		return object{"anyOf": []object{s.value(reflect.TypeFor[time.Duration](), ""), {"const": "any"}}}
	case t == reflect.TypeFor[time.Duration]():
		return object{"anyOf": []object{{"type": "string", "pattern": strictyaml.DurationPattern}, {"const": 0}}}
	case t == reflect.TypeFor[strictyaml.Ordered[string]]():
		return object{"type": "object", "additionalProperties": text()}
	}
	switch t.Kind() {
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" {
			return object{"enum": strings.Split(enum, ",")}
		}
		return text()
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return bounded(object{"type": "integer"}, tag)
	case reflect.Slice:
		return s.oneOrMany(s.value(t.Elem(), tag), tag)
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.value(t.Elem(), "")}
	case reflect.Struct:
		return s.named(t)
	}
	return object{}
}

func bounded(p object, tag reflect.StructTag) object {
	for tagName, key := range map[string]string{"min": "minimum", "max": "maximum"} {
		if n, err := strconv.Atoi(tag.Get(tagName)); err == nil {
			p[key] = n
		}
	}
	return p
}

// named refers to the schema of a struct, which steps do to themselves.
func (s *schemas) named(t reflect.Type) object {
	name := strings.TrimSuffix(t.Name(), "Document")
	if _, known := s.defs[name]; !known {
		s.defs[name] = true // begun
		def := s.mapping(t)
		if t == reflect.TypeFor[stepDocument]() {
			def["allOf"] = s.actions(def)
		}
		s.defs[name] = def
	}
	return object{"$ref": "#/$defs/" + name}
}

// actions makes the parameters of a step depend on its action.
func (s *schemas) actions(step object) []object {
	var names []string
	var cases []object
	for _, a := range actions.All() {
		spec := a.Spec()
		names = append(names, spec.Name)
		with := parameters(a)
		then := object{"properties": object{"with": with}}
		if _, some := with["required"]; some {
			then["required"] = []string{"with"}
		}
		cases = append(cases, object{
			"if":   object{"properties": object{"uses": object{"const": spec.Name}}, "required": []string{"uses"}},
			"then": then,
		})
	}
	step["properties"].(object)["uses"] = object{"enum": names, "description": "the action"}
	return cases
}

func parameters(a actions.Action) object {
	properties, required := object{}, []string{}
	for _, f := range actions.Fields(a.Params()) {
		p := parameter(expression.Of(f.Type))
		if !f.Literal {
			p = object{"anyOf": []object{p, {"type": "string", "pattern": `\$\{\{`}}}
		}
		if f.Doc != "" {
			p["description"] = f.Doc
		}
		properties[f.Name] = p
		if f.Required {
			required = append(required, f.Name)
		}
	}
	with := object{"type": "object", "properties": properties, "additionalProperties": false, "description": a.Spec().Summary}
	if len(required) > 0 {
		with["required"] = required
	}
	return with
}

func parameter(t *expression.Type) object {
	switch t.Kind {
	case expression.Text, expression.Duration, expression.Time:
		return text()
	case expression.Int:
		return object{"type": "integer"}
	case expression.Float:
		return object{"type": "number"}
	case expression.Bool:
		return object{"type": "boolean"}
	case expression.List:
		return object{"type": "array"}
	case expression.Map, expression.Object:
		return object{"type": "object"}
	}
	return object{}
}

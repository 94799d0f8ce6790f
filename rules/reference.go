package rules

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Topics are the parts of the reference, in its order.
var Topics = []string{"keys", "tests", "events", "fields", "functions", "actions"}

// Reference is the documentation of the language in Markdown, made of the code
// that implements it. Without topics it is all of it.
func Reference(topics ...string) string {
	if len(topics) == 0 {
		topics = Topics
	}
	var r reference
	for _, topic := range topics {
		switch topic {
		case "keys":
			r.keys()
		case "tests":
			r.tests()
		case "events":
			r.events()
		case "fields":
			r.fields()
		case "functions":
			r.functions()
		case "actions":
			r.actions()
		}
	}
	return strings.TrimRight(r.String(), "\n") + "\n"
}

type reference struct{ strings.Builder }

func (r *reference) printf(format string, args ...any) { fmt.Fprintf(r, format, args...) }

func (r *reference) table(columns ...string) {
	r.printf("| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func (r *reference) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", "\\|")
	}
	r.printf("| %s |\n", strings.Join(cells, " | "))
}

func (r *reference) keys() {
	r.printf("## Keys of a rule\n\n")
	r.printf("A file has `rules:`, a list. Keys at its top that begin with `x-` hold YAML anchors. Durations are written 90s, 15m, 72h, 7d, 1h30m.\n\n")
	r.mapping("", reflect.TypeFor[ruleDocument](), map[reflect.Type]bool{reflect.TypeFor[testDocument](): true})
}

func (r *reference) tests() {
	r.printf("## Tests\n\nBeside a rule under `tests:`, or under `tests:` in a file whose name ends in `_test.yaml`. The clock of a test begins with it; events that say nothing else happen and arrive at its beginning.\n\n")
	r.mapping("", reflect.TypeFor[testDocument](), map[reflect.Type]bool{})
}

// mapping documents a struct's keys, and below them those of the structs that
// they hold, each type once.
func (r *reference) mapping(name string, t reflect.Type, done map[reflect.Type]bool) {
	if done[t] {
		return
	}
	done[t] = true
	if name != "" {
		r.printf("### `%s`\n\n", name)
	}
	r.table("key", "value", "meaning", "default")
	var inner []strictyaml.Field
	for _, f := range strictyaml.Fields(t) {
		value := f.Tag.Get("default")
		if f.Required {
			value = "required"
		}
		names := "`" + f.Name + "`"
		for _, a := range f.Aliases {
			names += ", `" + a + "`"
		}
		r.row(names, valueWords(f.Type, f.Tag), f.Tag.Get("doc"), value)
		if structOf(f.Type) != nil {
			inner = append(inner, f)
		}
	}
	r.printf("\n")
	for _, f := range inner {
		r.mapping(f.Name, structOf(f.Type), done)
	}
}

func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && strings.HasSuffix(t.Name(), "Document") {
		return t
	}
	return nil
}

func valueWords(t reflect.Type, tag reflect.StructTag) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return valueWords(t.Elem(), tag)
	case t == reflect.TypeFor[maxAge]():
		return "duration, `any`"
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[strictyaml.Ordered[string]]():
		return "name: expression"
	case tag.Get("enum") != "" && t.Kind() == reflect.String:
		return "`" + strings.ReplaceAll(tag.Get("enum"), ",", "` `") + "`"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true, false"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		if tag.Get("list") == "one" {
			return "one or a list of " + valueWords(t.Elem(), tag)
		}
		return "list of " + valueWords(t.Elem(), tag)
	case reflect.Map:
		return "name: " + valueWords(t.Elem(), tag)
	case reflect.Struct:
		return "mapping"
	}
	return "anything"
}

func (r *reference) events() {
	r.printf("## Events\n\n`on` takes types, kinds, or patterns in which `*` stands for any characters.\n\n")
	types := map[events.Kind][]string{}
	for _, t := range events.Types() {
		types[t.Kind] = append(types[t.Kind], "`"+t.Name+"`")
	}
	r.table("kind", "types")
	for _, kind := range events.Kinds {
		r.row("`"+kind+"`", strings.Join(types[kind], " "))
	}
	r.printf("\nA server sends an alert again when it changes, also because somebody closed it. A rule makes at most one job for an alert on an endpoint, whichever copy fulfils its condition first, and none for a closed one. `on: alert_updated` names the copies instead, `on: [alert, alert_updated]` the alert and each copy; each of them makes a job of its own.\n\n")
}

func (r *reference) fields() {
	r.printf("## Fields\n\nWhat the event does not say is empty, 0 or false; `has(field)` tells. A rule may read what events of its `on` carry; of a kind in brackets only some types carry the field. Texts have one form in all events, whatever their source wrote: hashes, Windows paths, extensions and domains in lower case, addresses as short as they can be and IPv4 where it is mapped into IPv6, registry paths with `HKLM`, `HKEY_USERS` … and lower case after it. `#` stands for the number of what has no word yet.\n\n")
	r.table("field", "type", "carried by", "meaning")
	r.eventFields("", reflect.TypeFor[events.Event]())
	r.printf("\nIn steps also:\n\n")
	r.table("name", "what")
	for _, name := range [][2]string{
		{"`vars.<name>`", "variables of the rule"},
		{"`steps.<id>.output`", "what an earlier step gave, see its action; of a step with `foreach` a list"},
		{"`steps.<id>.status`, `steps.<id>.error`", "`ok`, `failed`, `skipped`; why it failed"},
		{"`item`", "the item, in a step with `foreach`"},
		{"`failed`", "the step that failed, in `on_failure`: `id`, `status`, `error`, `output`"},
	} {
		r.row(name[0], name[1])
	}
	r.object("job", expression.Of(reflect.TypeFor[actions.JobInfo]()))
	r.object("rule", expression.Of(reflect.TypeFor[actions.RuleInfo]()))
	r.object("correlated", CorrelatedType)
	r.printf("\n")
}

func (r *reference) object(name string, t *expression.Type) {
	for _, f := range t.Fields {
		words := f.Type.String()
		if f.Doc != "" {
			words = f.Doc + " (" + words + ")"
		}
		r.row(fmt.Sprintf("`%s.%s`", name, f.Name), words)
	}
}

func (r *reference) eventFields(prefix string, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("expr")
		if !f.IsExported() || name == "" {
			continue
		}
		kind := expression.Of(f.Type)
		if kind.Kind == expression.Object {
			r.eventFields(prefix+name+".", f.Type)
			continue
		}
		r.row("`"+prefix+name+"`", typeWords(prefix+name), carryingKinds(prefix+name), events.FieldDoc(t.Name(), f.Name))
	}
}

// typeWords is a field's type, with its words where they are few.
func typeWords(path string) string {
	t := expression.EventType
	for name := range strings.SplitSeq(path, ".") {
		f, _ := t.Field(name)
		t = f.Type
	}
	if len(t.Words) > 0 {
		return "`" + strings.Join(t.Words, "` `") + "`"
	}
	return t.String()
}

// carryingKinds names the kinds whose events carry a field, in brackets where only
// some of their types do.
func carryingKinds(path string) string {
	var kinds []string
	everywhere := true
	for _, kind := range events.Kinds {
		with, without := 0, 0
		for _, t := range events.Types() {
			switch {
			case t.Kind != kind:
			case events.Carries(t.Name, path):
				with++
			default:
				without++
			}
		}
		everywhere = everywhere && without == 0
		switch {
		case with > 0 && without > 0:
			kinds = append(kinds, "("+kind+")")
		case with > 0:
			kinds = append(kinds, kind)
		}
	}
	if everywhere {
		return "all"
	}
	return strings.Join(kinds, " ")
}

func (r *reference) functions() {
	r.printf("## Functions\n\n")
	r.table("function", "gives", "meaning", "example")
	for _, f := range expression.Functions() {
		r.row("`"+f.Signature+"`", f.Result.String(), f.Doc, "``"+f.Example+"``")
	}
	r.printf("\nOperators: `==` `!=` `<` `<=` `>` `>=`, `and` `or` `not` (also `&&` `||` `!`), `in`, `contains`, `startsWith`, `endsWith`, `matches` (a constant regular expression), `+` `-` `*` `/` `%%`, `? :`, `??`, `let name = …; …`. Text stands in \"quotes\", where a backslash is written `\\\\`, or in \\`back quotes\\`, where it is literal.\n\nBuilt in:\n\n")
	r.table("function", "meaning")
	for _, f := range expression.Builtins() {
		r.row("`"+f.Signature+"`", f.Doc)
	}
	r.printf("\n")
}

func (r *reference) actions() {
	r.printf("## Actions\n\nWhat may be done when nobody knows whether a step ran, say after a crash: *repeatable* actions run again, *checkable* ones look first, *once* ones wait for a person.\n\n")
	r.printf("%s", pathsAndArguments)
	for _, a := range actions.All() {
		spec := a.Spec()
		r.printf("### `%s`\n\n%s.\n\n%s", spec.Name, strings.TrimSuffix(spec.Summary, "."), string(spec.Class))
		if spec.Session {
			r.printf(" · needs a Live Response session")
		}
		if spec.Destructive {
			r.printf(" · changes the endpoint or its server")
		}
		if spec.Undo != "" {
			r.printf(" · undone by `%s`", spec.Undo)
		}
		r.printf("\n\n")
		r.actionFields(a)
	}
}

func (r *reference) actionFields(a actions.Action) {
	if params := actions.Fields(a.Params()); len(params) > 0 {
		r.table("parameter", "type", "meaning", "default")
		for _, f := range params {
			value := f.Default
			if f.Required {
				value = "required"
			}
			doc := f.Doc
			if len(f.OneOf) > 0 {
				doc += ": " + strings.Join(f.OneOf, ", ")
			}
			if f.Literal {
				doc += "; fixed text without `${{ }}`"
			}
			r.row("`"+f.Name+"`", expression.Of(f.Type).String(), doc, value)
		}
		r.printf("\n")
	}
	if outputs := actions.Fields(a.Output()); len(outputs) > 0 {
		r.table("output", "type", "meaning")
		r.outputs("", outputs)
		r.printf("\n")
	}
}

func (r *reference) outputs(prefix string, fields []actions.Field) {
	for _, f := range fields {
		t := expression.Of(f.Type)
		r.row("`"+prefix+f.Name+"`", t.String(), f.Doc)
		if t.Kind == expression.Object && prefix == "" {
			r.outputs(f.Name+".", actions.Fields(f.Type))
		}
	}
}

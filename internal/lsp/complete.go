package lsp

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.lsp.dev/protocol"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/expression"
	"edrpipe/rules"
)

// maxItems bounds an answer; editors ask again when more is typed.
const maxItems = 300

// complete lists what can stand at a position.
func (s *server) complete(file string, p protocol.Position) protocol.CompletionList {
	t := s.work.text(file)
	c := cursorAt(t, s.outline(file), p)
	b := &completion{server: s, cursor: c, text: t, line: int(p.Line)}
	if expr, ok := c.expression(); ok {
		b.expression(expr)
	} else if c.key == "" {
		b.keys()
	} else {
		b.values()
	}
	if b.items == nil {
		b.items = []protocol.CompletionItem{}
	}
	return protocol.CompletionList{Items: b.items}
}

func (s *server) outline(file string) *outline {
	if o := s.work.outlines[file]; o != nil {
		return o
	}
	return &outline{}
}

type completion struct {
	*server
	cursor
	text  *text
	line  int
	items []protocol.CompletionItem
}

// add offers a word in the place of what is typed of it.
func (b *completion) add(typed string, item protocol.CompletionItem, insert string) {
	if len(b.items) >= maxItems || !strings.HasPrefix(strings.ToLower(item.Label), strings.ToLower(typed)) {
		return
	}
	item.TextEdit = &protocol.TextEdit{Range: b.text.span(b.line, b.offset-len(typed), b.offset), NewText: insert}
	b.items = append(b.items, item)
}

// keys offers the keys of the mapping, or the parameters of the step's action.
func (b *completion) keys() {
	typed := lastWord(b.before)
	for _, k := range b.keysHere() {
		b.add(typed, protocol.CompletionItem{Label: k.Name, Kind: protocol.CompletionItemKindProperty, Detail: k.Value, Documentation: k.Doc}, k.Name+": ")
	}
}

func (b *completion) keysHere() []rules.Key {
	if k := len(b.path); k > 0 && b.path[k-1] == "with" && slices.Contains([]string{"steps", "parallel", "on_failure"}, b.path[max(0, k-2)]) {
		return parametersOf(b.action())
	}
	return rules.Keys(b.path...)
}

// action is the action of the step around the position.
func (b *completion) action() string {
	if b.rule == nil {
		return ""
	}
	found, nearest := "", 1<<30
	for _, s := range b.rule.steps {
		if d := b.line - s.line; s.uses != "" && d >= 0 && d < nearest {
			found, nearest = s.uses, d
		}
	}
	return found
}

func parametersOf(action string) []rules.Key {
	for _, a := range actions.All() {
		if a.Spec().Name != action {
			continue
		}
		var keys []rules.Key
		for _, f := range actions.Fields(a.Params()) {
			keys = append(keys, rules.Key{Name: f.Name, Doc: f.Doc, Value: actions.TypeName(f.Type), Words: f.OneOf, Default: f.Default, Required: f.Required})
		}
		return keys
	}
	return nil
}

// values offers what a key takes.
func (b *completion) values() {
	typed := lastWord(b.before)
	words := func(kind protocol.CompletionItemKind, words []string) {
		for _, w := range words {
			b.add(typed, protocol.CompletionItem{Label: w, Kind: kind}, w)
		}
	}
	switch b.key {
	case "on", "event":
		if len(b.path) == 1 {
			words(protocol.CompletionItemKindEvent, rules.EventNames())
			return
		}
	case "uses":
		for _, a := range actions.All() {
			spec := a.Spec()
			b.add(typed, protocol.CompletionItem{Label: spec.Name, Kind: protocol.CompletionItemKindFunction, Documentation: spec.Summary}, spec.Name)
		}
		return
	case "rule", "rules":
		words(protocol.CompletionItemKindReference, b.work.ruleIDs())
		return
	}
	for _, k := range b.keysHere() {
		if k.Name == b.key {
			words(protocol.CompletionItemKindEnumMember, k.Words)
		}
	}
}

var (
	nameText = regexp.MustCompile(`[A-Za-z_][\w.]*$`)
	listCall = regexp.MustCompile(`in_list\([^()]*,\s*["` + "`" + `]([\w-]*)$`)
	compared = regexp.MustCompile(`([A-Za-z_][\w.]*)\s*(?:==|!=|in\s*\[(?:[^\]]*,)?)\s*["` + "`" + `]([^"` + "`" + `]*)$`)
)

func lastWord(s string) string {
	i := strings.LastIndexAny(s, " ,[{(\"'")
	return s[i+1:]
}

// expression offers names, fields, functions, the values of a field, and lists.
func (b *completion) expression(before string) {
	if m := listCall.FindStringSubmatch(before); m != nil {
		for _, name := range b.work.bench.Lists() {
			b.add(m[1], protocol.CompletionItem{Label: name, Kind: protocol.CompletionItemKindFile}, name)
		}
		return
	}
	if m := compared.FindStringSubmatch(before); m != nil {
		for _, w := range rules.WordsOf(m[1], b.on()) {
			b.add(m[2], protocol.CompletionItem{Label: w, Kind: protocol.CompletionItemKindValue}, w)
		}
		return
	}
	if strings.Count(before, `"`)%2 == 1 || strings.Count(before, "`")%2 == 1 {
		return // within a text
	}
	typed := nameText.FindString(before)
	if i := strings.LastIndex(typed, "."); i >= 0 {
		b.members(typed[:i], typed[i+1:])
		return
	}
	b.names(typed)
}

func (b *completion) on() []string {
	if b.rule == nil {
		return nil
	}
	return b.rule.on
}

// names offers what an expression can begin with.
func (b *completion) names(typed string) {
	for _, path := range b.work.bench.Readable(b.on()) {
		if !strings.Contains(path, ".") {
			b.add(typed, b.field(path, path), path)
		}
	}
	if len(b.path) > 1 || b.key != "when" {
		for _, name := range []string{"vars", "steps", "job", "rule", "item", "failed", "correlated"} {
			b.add(typed, protocol.CompletionItem{Label: name, Kind: protocol.CompletionItemKindVariable}, name)
		}
	}
	for _, f := range slices.Concat(expression.Functions(), expression.Builtins()) {
		b.add(typed, protocol.CompletionItem{Label: f.Name, Kind: protocol.CompletionItemKindFunction, Detail: f.Signature, Documentation: f.Doc}, f.Name)
	}
}

func (b *completion) field(path, label string) protocol.CompletionItem {
	item := protocol.CompletionItem{Label: label, Kind: protocol.CompletionItemKindField}
	if f, ok := rules.FieldAt(path); ok {
		item.Detail = f.Type.String()
	}
	return item
}

// members offers what follows a dot.
func (b *completion) members(of, typed string) {
	names := strings.Split(of, ".")
	switch names[0] {
	case "vars":
		if b.rule != nil {
			for _, v := range b.rule.vars {
				b.add(typed, protocol.CompletionItem{Label: v.word, Kind: protocol.CompletionItemKindVariable}, v.word)
			}
		}
		return
	case "steps":
		b.stepMembers(names[1:], typed)
		return
	}
	t := typeOfName(names)
	if t == nil {
		for _, path := range b.work.bench.Readable(b.on()) {
			if rest, below := strings.CutPrefix(path, of+"."); below && !strings.Contains(rest, ".") {
				b.add(typed, b.field(path, rest), rest)
			}
		}
		return
	}
	b.fields(t, typed)
}

func (b *completion) fields(t *expression.Type, typed string) {
	for _, f := range t.Fields {
		b.add(typed, protocol.CompletionItem{Label: f.Name, Kind: protocol.CompletionItemKindField, Detail: f.Type.String(), Documentation: f.Doc}, f.Name)
	}
}

// typeOfName is the type of a name that steps have beside the event; nil of others.
func typeOfName(names []string) *expression.Type {
	var t *expression.Type
	switch names[0] {
	case "job":
		t = expression.Of(reflect.TypeFor[actions.JobInfo]())
	case "rule":
		t = expression.Of(reflect.TypeFor[actions.RuleInfo]())
	case "correlated":
		t = rules.CorrelatedType
	}
	return below(t, names[1:])
}

// below goes down into the fields of a type.
func below(t *expression.Type, names []string) *expression.Type {
	for _, name := range names {
		if t == nil {
			return nil
		}
		f, ok := t.Field(name)
		if !ok {
			return nil
		}
		t = f.Type
	}
	return t
}

func (b *completion) stepMembers(names []string, typed string) {
	if b.rule == nil {
		return
	}
	if len(names) == 0 {
		for _, s := range b.rule.steps {
			id := s.id.word
			if id == "" {
				id = s.uses
			}
			if s.line <= b.line {
				b.add(typed, protocol.CompletionItem{Label: id, Kind: protocol.CompletionItemKindVariable, Detail: s.uses}, id)
			}
		}
		return
	}
	step, known := b.rule.step(names[0])
	switch {
	case !known:
	case len(names) == 1:
		for _, name := range []string{"output", "status", "error"} {
			b.add(typed, protocol.CompletionItem{Label: name, Kind: protocol.CompletionItemKindField}, name)
		}
	case names[1] == "output":
		if t := below(outputOf(step.uses), names[2:]); t != nil {
			b.fields(t, typed)
		}
	}
}

// outputOf is the type of what an action gives; nil where there is no such action.
func outputOf(action string) *expression.Type {
	for _, a := range actions.All() {
		if a.Spec().Name == action {
			return expression.Of(a.Output())
		}
	}
	return nil
}

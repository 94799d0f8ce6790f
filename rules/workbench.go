package rules

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// Workbench checks one file of rules or tests at a time, from its text, for tools
// that look over an author's shoulder. It remembers expressions from check to check.
// It is for one goroutine.
type Workbench struct {
	lists    *Lists
	memo     *expression.Memo
	readable map[string][]string // by what on names
}

// OtherRules are the rules that stand in other files than the one checked.
type OtherRules interface {
	// Place is where a rule stands; "" where there is none.
	Place(id string) string
	// IDs lists them.
	IDs() []string
}

// NewWorkbench reads the lists beside the rules in the directories.
func NewWorkbench(dirs ...string) *Workbench {
	w := &Workbench{lists: newLists(), memo: &expression.Memo{}, readable: map[string][]string{}}
	for _, dir := range slices.Compact(slices.Sorted(slices.Values(dirs))) {
		w.lists.read(dir)
	}
	return w
}

// Lists are the names of the lists that in_list takes.
func (w *Workbench) Lists() []string { return w.lists.Names() }

// ListFile is where a list was read; "" where there is none.
func (w *Workbench) ListFile(name string) string { return w.lists.files[name] }

// Check reports everything that is wrong with a text.
func (w *Workbench) Check(name string, text []byte, elsewhere OtherRules) strictyaml.Problems {
	if isTestFile(filepath.Base(name)) {
		return w.checkTests(name, text, elsewhere)
	}
	l := &loader{lists: w.lists}
	l.text(name, text)
	c := newCompiler(w.lists, w.memo)
	for _, p := range l.parsed {
		c.rule(p)
		l.problems = append(l.problems, p.problems...)
		l.problems = append(l.problems, p.tags()...)
	}
	l.together(elsewhere)
	if l.problems.Err() == nil {
		for _, p := range l.parsed {
			for _, t := range p.tests() {
				_, problems := t.check(p.rule)
				l.problems = append(l.problems, problems...)
			}
		}
	}
	return l.problems.Sort()
}

func (w *Workbench) checkTests(name string, text []byte, rules OtherRules) strictyaml.Problems {
	tests, problems := testText(name, text, rules.IDs())
	for _, t := range tests {
		_, wrong := t.testEvents()
		problems = append(problems, wrong...)
	}
	return problems.Sort()
}

// Readable lists the fields of the event that rules on these events may read.
func (w *Workbench) Readable(on []string) []string {
	key := strings.Join(on, " ")
	if known, ok := w.readable[key]; ok {
		return known
	}
	t := newEventTypes(on)
	var fields []string
	eachField("", expression.EventType, func(path string) {
		if _, _, lacks := t.Lacks(path); !lacks {
			fields = append(fields, path)
		}
	})
	w.readable[key] = fields
	return fields
}

// WordsOf lists the values that a field of text can have, where they are few.
func WordsOf(path string, on []string) []string {
	if words := newEventTypes(on).Words(path); words != nil {
		return words
	}
	if f, ok := FieldAt(path); ok {
		return f.Type.Words
	}
	return nil
}

// FieldAt is the field of the event, or part of it, at a path.
func FieldAt(path string) (expression.Field, bool) {
	at := expression.Field{Type: expression.EventType}
	for name := range strings.SplitSeq(path, ".") {
		f, ok := at.Type.Field(name)
		if !ok {
			return expression.Field{}, false
		}
		at = f
	}
	return at, true
}

// DescribeField says what a field of the event is, of which type, and which events
// carry it; "" where there is no such field.
func DescribeField(path string) string {
	f, ok := FieldAt(path)
	if !ok {
		return ""
	}
	doc := fieldDoc(path)
	if f.Type.Kind == expression.Object {
		return fmt.Sprintf("part of the event; %s", cmp.Or(doc, "its fields: "+strings.Join(f.Type.Names(), ", ")))
	}
	return fmt.Sprintf("%s\n\ntype: %s\n\ncarried by: %s", doc, typeWords(path), carryingKinds(path))
}

// EventNames lists what on can name: kinds and types.
func EventNames() []string { return eventNames() }

// eachField calls f with the path of every field of an object, parts first.
func eachField(prefix string, t *expression.Type, f func(path string)) {
	for _, field := range t.Fields {
		path := prefix + field.Name
		f(path)
		if field.Type.Kind == expression.Object {
			eachField(path+".", field.Type, f)
		}
	}
}

// fieldDoc is the documentation of a field of the event.
func fieldDoc(path string) string {
	t := reflect.TypeFor[events.Event]()
	doc := ""
	for name := range strings.SplitSeq(path, ".") {
		found := false
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() && f.Tag.Get("expr") == name {
				doc, t, found = events.FieldDoc(t.Name(), f.Name), f.Type, true
				break
			}
		}
		if !found {
			return doc
		}
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return doc
		}
	}
	return doc
}

package actions

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// MaxSteps is the most steps a chain may have, those inside parallel counted.
const MaxSteps = 100

// Compile checks a chain as far as can be without running it: step ids, actions,
// parameters and their types, expressions and what they name, outputs of earlier
// steps. It returns every mistake, placed by a path from the list of steps; none
// means that the chain can run.
//
// Steps without an id are given one, see Number; Compile expects that done.
func Compile(steps []Step, site Site) []Problem {
	c := compiler{scope: site.base(), ids: map[string]strictyaml.Path{}}
	if site.Failure {
		for _, s := range flatten(site.Before) {
			c.declare(s)
			c.ids[s.ID] = "steps"
		}
	}
	for _, s := range flatten(steps) {
		c.all = append(c.all, s.ID)
	}
	c.chain("", steps)
	if n := len(flatten(steps)); n > MaxSteps {
		c.add(Problem{Message: fmt.Sprintf("the chain has %d steps, the limit is %d", n, MaxSteps)})
	}
	return c.problems
}

// Number gives an id to each step that has none: the action's name, and a number where
// that is taken. The chains are those of one job, in which an id stands for one step:
// the steps and those of on_failure. It changes steps.
func Number(chains ...[]Step) {
	taken := map[string]bool{}
	var all []*Step
	for _, steps := range chains {
		all = append(all, pointers(steps)...)
	}
	for _, s := range all {
		taken[s.ID] = true
	}
	for _, s := range all {
		if s.ID != "" {
			continue
		}
		name := s.Uses
		if name == "" {
			name = "parallel"
		}
		id := name
		for n := 2; taken[id]; n++ {
			id = fmt.Sprintf("%s_%d", name, n)
		}
		s.ID, taken[id] = id, true
	}
}

func pointers(steps []Step) []*Step {
	var all []*Step
	for i := range steps {
		all = append(all, &steps[i])
		all = append(all, pointers(steps[i].Parallel)...)
	}
	return all
}

// compiler checks one chain from its first step to its last.
type compiler struct {
	scope    *expression.Scope // what the next step may use, without steps
	before   []expression.Field
	all      []string // ids of the chain's steps
	ids      map[string]strictyaml.Path
	problems []Problem
}

func (c *compiler) add(p Problem) { c.problems = append(c.problems, p) }

// declare lets later steps use the results of s.
func (c *compiler) declare(s Step) {
	c.before = append(c.before, expression.Field{Name: s.ID, Doc: "step " + s.Uses, Type: stepType(s)})
}

func (c *compiler) chain(path strictyaml.Path, steps []Step) {
	for i, s := range steps {
		at := path.Index(i)
		c.step(at, s)
		for _, done := range flatten([]Step{s}) {
			c.declare(done)
		}
	}
}

var stepID = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (c *compiler) step(path strictyaml.Path, s Step) {
	scope := c.scope.With("steps", "earlier steps", expression.ObjectOf(c.before...))
	c.id(path, s)
	c.flow(path, s, scope)
	if len(s.Parallel) > 0 {
		c.sensor(path, s, scope)
		c.parallel(path, s)
		return
	}
	if s.Foreach != "" {
		scope = c.foreach(path, s, scope)
	}
	c.sensor(path, s, scope)
	a, ok := Lookup(s.Uses)
	if !ok {
		c.unknownAction(path, s)
		return
	}
	if s.UndoAfter > 0 && a.Spec().Undo == "" {
		c.add(Problem{Path: path.Key("undo_after"), Key: true, Message: fmt.Sprintf("%s cannot be undone", s.Uses), Hint: "reversible are " + strings.Join(reversible(), ", ")})
	}
	c.params(path, s, a, scope)
}

func (c *compiler) id(path strictyaml.Path, s Step) {
	if !stepID.MatchString(s.ID) {
		c.add(Problem{Path: path.Key("id"), Message: fmt.Sprintf("%q cannot be the id of a step", s.ID), Hint: "letters, digits and _, and not a digit first"})
		return
	}
	switch first, dup := c.ids[s.ID]; {
	case dup && first == "steps":
		c.add(Problem{Path: path.Key("id"), Message: fmt.Sprintf("the id %q is taken by a step of the chain", s.ID), Hint: "steps and on_failure share their ids"})
	case dup:
		c.add(Problem{Path: path.Key("id"), Message: fmt.Sprintf("the id %q is taken by the step at %s", s.ID, first)})
	}
	c.ids[s.ID] = path
}

// flow checks what decides whether and when a step runs.
func (c *compiler) flow(path strictyaml.Path, s Step, scope *expression.Scope) {
	if condition, _ := Condition(s.If); condition != "" {
		c.condition(path.Key("if"), s.If, condition, scope)
	}
	if s.Approval != nil && s.Approval.If != "" {
		c.condition(path.Key("approval").Key("if"), s.Approval.If, s.Approval.If, scope)
	}
}

// sensor checks the choice of another sensor, which may differ with each item.
func (c *compiler) sensor(path strictyaml.Path, s Step, scope *expression.Scope) {
	if s.Sensor == "" {
		return
	}
	_, err := scope.ValueOf(s.Sensor, expression.TextType)
	c.expression(path.Key("sensor"), 0, err)
}

func (c *compiler) condition(path strictyaml.Path, written, condition string, scope *expression.Scope) {
	_, err := scope.Condition(condition)
	shift := len([]rune(written)) - len([]rune(condition)) // of what Condition took off the front
	c.expression(path, shift, err)
}

// expression takes over the mistakes of an expression.
func (c *compiler) expression(path strictyaml.Path, shift int, err error) {
	var mistakes expression.Errors
	if !errors.As(err, &mistakes) {
		if err != nil {
			c.add(Problem{Path: path, Message: err.Error()})
		}
		return
	}
	for _, m := range mistakes {
		p := Problem{Path: path, Offset: m.Offset + shift, Length: m.Length, Message: m.Message, Hint: m.Hint}
		c.habit(&p)
		c.add(p)
	}
}

// Condition splits always() off an if: such a step runs after a failure too,
// provided that the rest holds. The rest is an expression, or empty.
func Condition(written string) (rest string, always bool) {
	text := strings.TrimSpace(written)
	after, found := strings.CutPrefix(text, "always()")
	if !found {
		return text, false
	}
	after = strings.TrimSpace(after)
	if after == "" {
		return "", true
	}
	if rest, and := strings.CutPrefix(after, "&&"); and {
		return strings.TrimSpace(rest), true
	}
	return text, false
}

func (c *compiler) parallel(path strictyaml.Path, s Step) {
	if s.Uses != "" || len(s.With) > 0 || s.Foreach != "" {
		c.add(Problem{Path: path.Key("parallel"), Key: true, Message: "a parallel step has only steps: no uses, with or foreach of its own"})
	}
	before := c.before
	for i, inner := range s.Parallel {
		at := path.Key("parallel").Index(i)
		if len(inner.Parallel) > 0 {
			c.add(Problem{Path: at.Key("parallel"), Key: true, Message: "parallel inside parallel"})
			continue
		}
		c.before = before // siblings do not see each other
		c.step(at, inner)
	}
	c.before = before
}

func (c *compiler) foreach(path strictyaml.Path, s Step, scope *expression.Scope) *expression.Scope {
	item := expression.AnyType
	p, err := scope.ValueOf(s.Foreach, expression.ListOf(expression.AnyType))
	c.expression(path.Key("foreach"), 0, err)
	if err == nil && p.Type().Elem != nil {
		item = p.Type().Elem
	}
	return scope.With("item", "element of foreach", item)
}

func (c *compiler) unknownAction(path strictyaml.Path, s Step) {
	if s.Uses == "" {
		c.add(Problem{Path: path, Message: "the step does nothing", Hint: "uses names its action"})
		return
	}
	c.add(Problem{Path: path.Key("uses"), Message: fmt.Sprintf("there is no action %q", s.Uses), Hint: suggest(s.Uses, names())})
}

func names() []string {
	var all []string
	for _, a := range All() {
		all = append(all, a.Spec().Name)
	}
	return all
}

func reversible() []string {
	return slices.DeleteFunc(names(), func(name string) bool { return registry[name].Spec().Undo == "" })
}

// templated stands for a value that is known when the step runs.
type templated struct{}

// params checks the parameters of a step: templates by their type, the rest by
// decoding it as when the step runs.
func (c *compiler) params(path strictyaml.Path, s Step, a Action, scope *expression.Scope) {
	fields, before := Fields(a.Params()), c.errors()
	with := make(map[string]any, len(s.With))
	for name, value := range s.With {
		if value == nil {
			c.add(Problem{Path: path.Key("with").Key(name), Message: fmt.Sprintf("%q has no value", name), Hint: "give it one, or leave it out"})
			with[name] = templated{}
			continue
		}
		m := marker{c: c, scope: scope}
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		var want *expression.Type
		if i >= 0 {
			want, m.literal = expression.Of(fields[i].Type), fields[i].Literal
		}
		with[name] = m.mark(path.Key("with").Key(name), value, want)
	}
	d := decoder{}
	v := reflect.New(a.Params()).Elem()
	d.fill(path.Key("with"), v, with)
	if validator, ok := v.Interface().(Validator); ok && len(d.problems) == 0 && c.errors() == before {
		if err := validator.Validate(); err != nil {
			d.add(path.Key("with"), err.Error(), "")
		}
	}
	c.problems = append(c.problems, d.problems...)
}

// errors counts the problems that keep the chain from running.
func (c *compiler) errors() int {
	n := 0
	for _, p := range c.problems {
		if !p.Warning {
			n++
		}
	}
	return n
}

// marker replaces the templates in a value, having checked them.
type marker struct {
	c       *compiler
	scope   *expression.Scope
	literal bool
}

func (m *marker) mark(path strictyaml.Path, value any, want *expression.Type) any {
	switch v := value.(type) {
	case string:
		return m.text(path, v, want)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = m.mark(path.Index(i), item, elem(want))
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = m.mark(path.Key(key), item, member(want, key))
		}
		return out
	}
	return value
}

func (m *marker) text(path strictyaml.Path, text string, want *expression.Type) any {
	t, err := m.scope.Template(text)
	if err != nil {
		m.c.expression(path, 0, err)
		return templated{}
	}
	m.placeholders(path, text)
	if literal, ok := t.Constant(); ok {
		return literal
	}
	switch {
	case m.literal:
		m.c.add(Problem{Path: path, Message: "this must be fixed text without ${{ }}: it decides what is executed, and event text may not"})
	case want != nil && !want.Takes(t.Type()):
		p := Problem{Path: path, Message: fmt.Sprintf("this is %s, but must be %s", t.Type(), want)}
		if want.Kind == expression.Text {
			p.Hint = "a value alone keeps its type; with other text beside it, as in \"sensor ${{ sensor.id }}\", it becomes text"
		}
		m.c.add(p)
	}
	return templated{}
}

func elem(t *expression.Type) *expression.Type {
	if t == nil {
		return nil
	}
	return t.Elem
}

func member(t *expression.Type, key string) *expression.Type {
	if t == nil {
		return nil
	}
	if f, ok := t.Field(key); ok {
		return f.Type
	}
	return t.Elem
}

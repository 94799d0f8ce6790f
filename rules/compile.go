package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules/index"
)

// compiler checks rules and compiles their expressions. It is for one
// goroutine.
type compiler struct {
	all   *expression.Scope // of conditions on events of every type
	event *expression.Scope // of conditions of the rule under work
	types *eventTypes       // that the rule under work names
	p     *parsedRule       // under work
	known map[string]*eventTypes
}

// newCompiler makes one of several compilers that share what they remember.
func newCompiler(lists *Lists, m *expression.Memo) *compiler {
	return &compiler{all: expression.EventScope().WithLists(lists).Remembering(m), known: map[string]*eventTypes{}}
}

func (c *compiler) rule(p *parsedRule) {
	c.p = p
	r := &Compiled{Rule: p.rule}
	p.compiled = r
	c.id(p.rule)
	c.on(p.rule)
	c.types = c.typesOf(p.rule.On)
	c.event = c.all.On(c.types)
	c.when(r)
	vars := c.vars(r)
	c.suppress(r, vars)
	c.correlate(r)
	c.concurrency(r, vars)
	c.chains(r, vars)
	canonical := r.canonical()
	r.Digest = digestOf(canonical)
	r.Raw = rawWord.Match(canonical)
}

// rawWord finds any mention of raw but for reg.raw_path, in expressions and
// elsewhere: what is loaded in vain costs time, what is not loaded would change
// what a rule means.
var rawWord = regexp.MustCompile(`raw[^_]`)

func (c *compiler) report(problem strictyaml.Problem, hint string) {
	problem.Hint = hint
	c.p.problems = append(c.p.problems, problem)
}

func (c *compiler) at(path strictyaml.Path, message, hint string) {
	c.report(c.p.doc.At(path, message), hint)
}

// expression takes over the mistakes of an expression or template.
func (c *compiler) expression(path strictyaml.Path, err error) {
	var found expression.Errors
	if !errors.As(err, &found) {
		return
	}
	for _, e := range found {
		problem := c.p.doc.Within(path, e.Offset, e.Length, e.Message)
		c.report(problem, or(yamlHint(problem), e.Hint))
	}
}

// yamlHint explains mistakes that come from YAML, not from the expression.
func yamlHint(p strictyaml.Problem) string {
	line := []rune(p.Source)
	rest := string(line[min(max(p.Column-1, 0), len(line)):])
	switch {
	case strings.HasPrefix(p.Message, "the expression ends too early") && strings.HasPrefix(strings.TrimSpace(rest), "#"):
		return "YAML takes # for a comment: put the expression in quotes, or on a line of its own below >"
	case strings.HasPrefix(p.Message, "unexpected {") && strings.Contains(p.Source, "${{"):
		return "this is an expression already: leave ${{ and }} out"
	}
	return ""
}

func didYouMean(word string, known []string) string {
	if near := nearest.Word(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

var idForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// maxID bounds ids: they become parts of subjects and file names.
const maxID = 100

func (c *compiler) id(r *Rule) {
	if r.ID != "" && (!idForm.MatchString(r.ID) || len(r.ID) > maxID) {
		c.at(c.p.path.Key("id"), fmt.Sprintf("%q cannot be an id", r.ID), fmt.Sprintf("only a-z, 0-9 and - between them, at most %d characters", maxID))
	}
}

// on checks that each entry names events that exist.
func (c *compiler) on(r *Rule) {
	path := c.p.path.Key("on")
	if !c.p.doc.Has(path) {
		path = c.p.path.Key("event")
	}
	if c.p.doc.Has(path) && len(r.On) == 0 {
		c.at(path, "no event types are named", "")
	}
	for i, on := range r.On {
		if !namesKnown(on) {
			c.at(path.Index(i), fmt.Sprintf("%q names no event type or kind", on), c.onHint(on))
		}
	}
}

// typesOf finds the types that "on" names, once for rules that name the same.
func (c *compiler) typesOf(on []string) *eventTypes {
	key := strings.Join(on, " ")
	if c.known[key] == nil {
		c.known[key] = newEventTypes(on)
	}
	return c.known[key]
}

func namesKnown(on string) bool {
	return slices.Contains(events.Kinds, on) || slices.ContainsFunc(events.Types(), func(t events.TypeInfo) bool {
		return index.Names(on, t.Name, t.Kind)
	})
}

func (c *compiler) onHint(on string) string {
	if strings.Contains(on, "*") {
		return "* stands for any characters: watchlist.*, *.hit.process"
	}
	known := slices.Clone(events.Kinds)
	for _, t := range events.Types() {
		known = append(known, t.Name)
	}
	if near := nearest.Word(on, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "kinds are " + strings.Join(events.Kinds, ", ")
}

// when compiles the condition. A rule without one must name its types exactly,
// so that nobody acts on everything by leaving something out.
func (c *compiler) when(r *Compiled) {
	path := c.p.path.Key("when")
	if !c.p.doc.Has(path) {
		if slices.ContainsFunc(c.p.doc.Keys(c.p.path), func(key string) bool { return nearest.Word(key, []string{"when"}) != "" }) {
			return // it is there, misspelt, and reported
		}
		for i, on := range r.On {
			if !exactType(on) && namesKnown(on) {
				c.at(c.p.path.Key("on").Index(i), fmt.Sprintf("the rule has no condition and would act on every event that %q names", on), "add when; to mean every one, write when: true")
			}
		}
		return
	}
	program, err := c.event.Condition(r.Rule.When)
	c.expression(path, err)
	r.When = program
	if program != nil && strings.TrimSpace(r.Rule.When) != "true" {
		c.decided(path, program)
		c.partial(path, program)
	}
}

// partial warns of fields that some of the rule's events do not carry.
func (c *compiler) partial(path strictyaml.Path, program *expression.Program) {
	for _, e := range c.types.partial(program) {
		problem := c.p.doc.Within(path, e.Offset, e.Length, e.Message)
		problem.Warning = true
		c.report(problem, e.Hint)
	}
}

// decided refuses a condition that has one outcome: who means every event writes so,
// and a rule that does nothing is turned off by enabled.
func (c *compiler) decided(path strictyaml.Path, program *expression.Program) {
	place := func(message string) strictyaml.Problem {
		return c.p.doc.Within(path, 0, utf8.RuneCountInString(strings.TrimSpace(program.Source)), message)
	}
	switch value, decided := index.Decided(program.Node()); {
	case decided && value:
		c.report(place("this is true for every event, and the rule would act on all of them"), "write when: true where that is meant")
	case decided:
		c.report(place("this is never true: the rule does nothing"), "enabled: false turns a rule off")
	}
}

func exactType(on string) bool {
	return slices.ContainsFunc(events.Types(), func(t events.TypeInfo) bool { return t.Name == on })
}

var varName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// vars compiles the variables, each of which may use those before it, and
// returns their types.
func (c *compiler) vars(r *Compiled) []expression.Field {
	var known []expression.Field
	for _, v := range r.Rule.Vars {
		path := c.p.path.Key("vars").Key(v.Name)
		if !varName.MatchString(v.Name) {
			c.report(c.p.doc.AtKey(path, fmt.Sprintf("%q cannot be the name of a variable", v.Name)), "letters, digits and _")
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(v.Expr), "${{") {
			c.at(path, "a variable is an expression already", "leave ${{ and }} out; text needs quotes")
			continue
		}
		program, err := c.withVars(known).Value(v.Expr)
		c.expression(path, err)
		field := expression.Field{Name: v.Name, Doc: v.Expr, Type: expression.AnyType}
		if err == nil {
			field.Type = program.Type()
			r.Vars = append(r.Vars, program)
		}
		known = append(known, field)
	}
	return known
}

// withVars is the scope of the event and variables.
func (c *compiler) withVars(vars []expression.Field) *expression.Scope {
	return c.event.With("vars", "variables of the rule", expression.ObjectOf(vars...))
}

func (c *compiler) suppress(r *Compiled, vars []expression.Field) {
	if r.Suppress == nil {
		return
	}
	scope := c.withVars(vars)
	path := c.p.path.Key("suppress").Key("key")
	for i, key := range r.Suppress.Key {
		r.Key = append(r.Key, c.oneValue(path.Index(i), key, scope))
	}
	if r.oneForAll() {
		problem := c.p.doc.At(path, "an event of several endpoints makes a job for the first of them only: the key is the same for each")
		problem.Warning = true
		c.report(problem, "add sensor.id to the key")
	}
}

// concurrency compiles the key, which is text with ${{ }}.
func (c *compiler) concurrency(r *Compiled, vars []expression.Field) {
	if r.Concurrency == nil || r.Concurrency.Key == "" {
		return
	}
	template, err := c.withVars(vars).Template(r.Concurrency.Key)
	c.expression(c.p.path.Key("concurrency").Key("key"), err)
	r.Group = template
}

// chains checks the steps with the actions that they use.
func (c *compiler) chains(r *Compiled, vars []expression.Field) {
	site := actions.Site{Vars: vars, Event: c.event}
	if r.Correlate != nil {
		site.Correlated = CorrelatedType
	}
	r.Site = site
	path := c.p.path.Key("steps")
	if c.p.doc.Has(path) && len(r.Steps) == 0 {
		c.at(path, "there are no steps", "")
	}
	c.chain(path, actions.Compile(r.Steps, site))
	if len(r.OnFailure) > 0 {
		site.Before, site.Failure = r.Steps, true
		c.chain(c.p.path.Key("on_failure"), actions.Compile(r.OnFailure, site))
	}
}

// chain places the problems of a chain, whose paths begin at its list of steps.
func (c *compiler) chain(path strictyaml.Path, found []actions.Problem) {
	for _, p := range found {
		at := path + p.Path
		var problem strictyaml.Problem
		switch {
		case p.Key:
			problem = c.p.doc.AtKey(at, p.Message)
		case p.Length > 0:
			problem = c.p.doc.Within(at, p.Offset, p.Length, p.Message)
		default:
			problem = c.p.doc.At(at, p.Message)
		}
		problem.Warning = p.Warning
		c.report(problem, p.Hint)
	}
}

// GroupOf is the concurrency key of the rule's jobs for an event; empty: the
// sensor.
func (r *Compiled) GroupOf(e *events.Event, vars map[string]any) (string, error) {
	if r.Group == nil {
		return "", nil
	}
	v, err := r.Group.Eval(expression.Env(e, map[string]any{"vars": vars}))
	if err != nil {
		return "", fmt.Errorf("concurrency.key: %w", err)
	}
	return expression.Render(v)
}

// canonical is what the rule does: all of it but the place where it was written
// and its tests. The rule's digest is of this.
func (r *Rule) canonical() []byte {
	c := *r
	c.File, c.Line, c.Digest = "", 0, ""
	data, err := json.Marshal(c)
	if err != nil { // plain data as it came from YAML: cannot happen
		panic(fmt.Sprintf("rule %s: %v", r.ID, err))
	}
	return data
}

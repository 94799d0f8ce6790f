package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/chain"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// A test is checked like the rule that it is of: what it names must be there, and it
// must be able to fail.

// Check reports what is wrong with the test itself, without running it.
func (t *Test) Check(set *Set) strictyaml.Problems {
	rule, ok := set.Rule(t.Rule)
	if !ok {
		return strictyaml.Problems{t.doc.At(t.path, fmt.Sprintf("there is no rule %q", t.Rule))}
	}
	_, problems := t.check(rule.Rule)
	return problems
}

func (t *Test) check(r *Rule) ([]timedEvent, strictyaml.Problems) {
	timed, problems := t.testEvents()
	c := &testChecker{test: t, rule: r, steps: map[string]actions.Step{}, problems: problems}
	c.collect(append(slices.Clone(r.Steps), r.OnFailure...))
	c.claims()
	for _, id := range slices.Sorted(maps.Keys(t.written.Mocks)) {
		c.mock(id, t.written.Mocks[id])
	}
	for i := range t.written.Expect {
		c.expectation(t.path.Key("expect").Index(i), &t.written.Expect[i])
	}
	return timed, c.problems
}

// testChecker holds a test against its rule.
type testChecker struct {
	test     *Test
	rule     *Rule
	steps    map[string]actions.Step
	ids      []string // of steps, in their order
	problems strictyaml.Problems
}

func (c *testChecker) collect(steps []actions.Step) {
	for _, s := range steps {
		c.steps[s.ID] = s
		c.ids = append(c.ids, s.ID)
		c.collect(s.Parallel)
	}
}

func (c *testChecker) report(path strictyaml.Path, message, hint string) {
	p := c.test.doc.At(path, message)
	p.Hint = hint
	c.problems = append(c.problems, p)
}

func (c *testChecker) reportKey(path strictyaml.Path, message, hint string) {
	p := c.test.doc.AtKey(path, message)
	p.Hint = hint
	c.problems = append(c.problems, p)
}

// claims reports a test that cannot fail.
func (c *testChecker) claims() {
	w, path := c.test.written, c.test.path
	switch {
	case c.test.doc.Has(path.Key("events")) && len(w.Events) == 0:
		c.report(path.Key("events"), "there are no events: nothing can happen", "")
	case w.Expect == nil && w.Jobs == nil && w.Outcome == "":
		c.report(path.Key("name"), "the test expects nothing: it cannot fail", "add expect (an empty list: nothing may run), jobs or outcome")
	}
}

// expectation checks one entry of expect.
func (c *testChecker) expectation(path strictyaml.Path, want *expectDocument) {
	var given []string
	for _, key := range []string{"run", "not", "held", "undo"} {
		if c.test.doc.Has(path.Key(key)) {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		message := "an expectation says run, not, held or undo"
		if len(given) > 1 {
			message = fmt.Sprintf("an expectation says one of %s", strings.Join(given, " and "))
		}
		c.report(path, message, "")
		return
	}
	kind, name := given[0], want.Run+want.Not+want.Held+want.Undo
	steps := c.named(path.Key(kind), name)
	for _, key := range []string{"with", "at", "reason"} {
		if c.test.doc.Has(path.Key(key)) && !slices.Contains(expectKeys[kind], key) {
			c.reportKey(path.Key(key), fmt.Sprintf("%s has no meaning beside %s", key, kind), "")
		}
	}
	if kind == "undo" && len(steps) > 0 && !slices.ContainsFunc(steps, func(s actions.Step) bool { return s.UndoAfter > 0 }) {
		c.report(path.Key(kind), fmt.Sprintf("%s is never undone", name), "give the step undo_after")
	}
	if len(steps) > 0 {
		c.arguments(path.Key("with"), want.With, steps)
	}
}

// expectKeys are the keys that may stand beside each kind of expectation.
var expectKeys = map[string][]string{"run": {"with", "at"}, "held": {"reason"}, "undo": {"at"}}

// named finds the steps that an action or the id of a step names.
func (c *testChecker) named(path strictyaml.Path, name string) []actions.Step {
	if s, ok := c.steps[name]; ok {
		return []actions.Step{s}
	}
	var found []actions.Step
	known := slices.Clone(c.ids)
	for _, id := range c.ids {
		if s := c.steps[id]; s.Uses == name && name != "" {
			found = append(found, s)
		} else if s.Uses != "" {
			known = append(known, s.Uses)
		}
	}
	if len(found) == 0 {
		hint := "it has " + strings.Join(c.ids, ", ")
		if near := didYouMean(name, known); near != "" {
			hint = near
		}
		c.report(path, fmt.Sprintf("rule %s has no step %q, and none that uses such an action", c.rule.ID, name), hint)
	}
	return found
}

// arguments checks the parameters that an expectation names.
func (c *testChecker) arguments(path strictyaml.Path, with map[string]any, steps []actions.Step) {
	a, ok := actions.Lookup(steps[0].Uses)
	if !ok {
		if len(with) > 0 {
			c.reportKey(path, "a parallel block has no parameters", "")
		}
		return
	}
	fields := actions.Fields(a.Params())
	for _, key := range slices.Sorted(maps.Keys(with)) {
		i := slices.IndexFunc(fields, func(f actions.Field) bool { return f.Name == key })
		if i < 0 {
			c.reportKey(path.Key(key), fmt.Sprintf("%s has no parameter %q", steps[0].Uses, key), didYouMean(key, fieldNames(fields)))
			continue
		}
		given := slices.ContainsFunc(steps, func(s actions.Step) bool { _, there := s.With[key]; return there })
		if !given && with[key] != nil {
			c.reportKey(path.Key(key), fmt.Sprintf("no step of the rule gives %q to %s", key, steps[0].Uses), "")
			continue
		}
		for _, m := range expression.Of(fields[i].Type).Misfits(with[key]) {
			c.problems = append(c.problems, c.test.misfit(under(path.Key(key), m.Path), m))
		}
	}
}

func fieldNames(fields []actions.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// mock checks what a test says that a step gives.
func (c *testChecker) mock(id string, mock mockDocument) {
	path := c.test.path.Key("mocks").Key(id)
	s, ok := c.steps[id]
	if !ok {
		c.reportKey(path, fmt.Sprintf("rule %s has no step %q", c.rule.ID, id), didYouMean(id, c.ids))
		return
	}
	switch {
	case mock.Output != nil && mock.Error != "":
		c.report(path, "a step has an output or an error, not both", "")
	case mock.Output == nil && mock.Error == "" && mock.Fails == nil && mock.answer() == "":
		c.reportKey(path, "the mock says nothing", "give output, error, fails or approval")
	case mock.Deny && mock.Approval != "":
		c.reportKey(path.Key("deny"), "deny: true is approval: denied; give one of them", "")
	case mock.Deny && s.Approval == nil:
		c.reportKey(path.Key("deny"), fmt.Sprintf("step %s asks for no approval", id), "")
	}
	for i, name := range mock.Fails {
		if words := []string{chain.Timeout, chain.SensorBusy, chain.ServerError}; !slices.Contains(words, name) {
			hint := cmp.Or(didYouMean(name, words), "one of "+strings.Join(words, ", "))
			c.report(path.Key("fails").Index(i), fmt.Sprintf("a step does not fail with %q", name), hint)
		}
	}
	action, ok := actions.Lookup(s.Uses)
	if !ok {
		if mock.Output != nil || mock.Error != "" {
			c.reportKey(path, "a parallel block has no result of its own", "mock its steps")
		}
		return
	}
	for _, m := range expression.Of(action.Output()).Misfits(plainOrNil(mock.Output)) {
		if m.Key && len(m.Path) == 1 {
			m.Message = fmt.Sprintf("%s has no output %q", s.Uses, m.Path[0])
		}
		c.problems = append(c.problems, c.test.misfit(under(path.Key("output"), m.Path), m))
	}
}

// plainOrNil keeps a mapping that is not given from being an empty one.
func plainOrNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

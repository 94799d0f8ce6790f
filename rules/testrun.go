package rules

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// TestResult is what running a test showed.
type TestResult struct {
	Test     *Test
	Failures []string // what was not as the test says; none: it passed
	Ran      []Ran
	Ended    []Ended // the steps of the last job
	Jobs     int
	Outcome  string              // of the last job; none: there was none
	Problems strictyaml.Problems // the test itself is wrong
	Events   []*Explanation      // of the rule, for each event of the test
}

// Passed reports whether everything was as the test says.
func (r *TestResult) Passed() bool { return len(r.Failures) == 0 && len(r.Problems) == 0 }

// Run runs the test on a clock of its own, which begins with the first event.
// Other rules of the set take part only where the rule's correlation needs
// their matches.
func (t *Test) Run(ctx context.Context, set *Set) *TestResult { return t.RunGuarded(ctx, set, nil) }

// RunGuarded is Run with guards that are asked about each step, see Backtest.Admit; nil:
// there are none.
func (t *Test) RunGuarded(ctx context.Context, set *Set, admit func(ctx context.Context, p Planned) (decision, reason string)) *TestResult {
	result := &TestResult{Test: t, Outcome: outcomeNone}
	rule, ok := set.Rule(t.Rule)
	if !ok {
		result.Problems = strictyaml.Problems{t.doc.At(t.path, fmt.Sprintf("there is no rule %q", t.Rule))}
		return result
	}
	timed, problems := t.check(rule.Rule)
	if result.Problems = problems; len(problems) > 0 {
		return result
	}
	run := &testRun{test: t, admit: admit, rule: rule, result: result, simulation: NewSimulation(set.only(rule), testBegin)}
	for _, e := range timed {
		if err := run.event(ctx, e); err != nil {
			result.Failures = append(result.Failures, err.Error())
			return result
		}
	}
	run.compare()
	return result
}

// only is the set of a rule and of those that its correlation names, all of
// them enabled.
func (s *Set) only(r *Compiled) *Set {
	wanted := []*Compiled{enabled(r)}
	if r.Correlate != nil {
		for _, id := range r.Correlate.Rules {
			if other, ok := s.Rule(id); ok {
				wanted = append(wanted, enabled(other))
			}
		}
	}
	return NewSet(wanted)
}

func enabled(r *Compiled) *Compiled {
	rule, compiled := *r.Rule, *r
	rule.Enabled = true
	compiled.Rule = &rule
	return &compiled
}

type testRun struct {
	test       *Test
	rule       *Compiled
	result     *TestResult
	simulation *Simulation
	held       []Ran // steps that wait for a person or a fact
	undos      []Ran
	admit      func(ctx context.Context, p Planned) (decision, reason string)
}

func (r *testRun) event(ctx context.Context, e timedEvent) error {
	r.simulation.Advance(testBegin.Add(e.at))
	cmp.Or(e.endpoint, r.test.written.Endpoint).fill(&e.event.Sensor)
	decisions, err := r.simulation.Event(ctx, e.event)
	if err != nil {
		return err
	}
	explanation := r.rule.Explain(e.event)
	for _, d := range decisions {
		if d.Rule.ID != r.rule.ID {
			continue
		}
		explanation.Decisions = append(explanation.Decisions, d)
		if d.Verdict == Failed {
			r.result.Failures = append(r.result.Failures, d.Err.Error())
		}
		if d.Verdict == Acts {
			r.job(ctx, d, e.at)
		}
	}
	r.result.Events = append(r.result.Events, explanation)
	return nil
}

func (r *testRun) job(ctx context.Context, d Decision, at time.Duration) {
	r.result.Jobs++
	dry := newDryRun(r.rule, d.Match, d.Endpoint, r.result.Jobs, d.At, r.test.written.Mocks)
	dry.job.At = at
	if r.admit != nil {
		dry.patient, dry.admit = true, func(ran Ran, a actions.Spec) (decision, reason string) {
			return r.admit(ctx, Planned{Decision: d, Ran: ran, Action: a})
		}
	}
	r.result.Outcome = dry.run(ctx)
	r.result.Ended = dry.ended()
	for _, ran := range dry.ran {
		if ran.Broken {
			r.result.Failures = append(r.result.Failures, fmt.Sprintf("step %s failed: %s", ran.Step, ran.Error))
			continue
		}
		r.result.Ran = append(r.result.Ran, ran)
	}
	r.held, r.undos = append(r.held, dry.held...), append(r.undos, dry.undos...)
	if dry.err != nil {
		r.result.Failures = append(r.result.Failures, dry.err.Error())
	}
}

// compare holds what happened against what the test expects.
func (r *testRun) compare() {
	w := r.test.written
	if w.Jobs != nil && *w.Jobs != r.result.Jobs {
		r.fail("%d jobs, want %d", r.result.Jobs, *w.Jobs)
	}
	if w.Outcome != "" && w.Outcome != r.result.Outcome {
		r.fail("the outcome is %s, want %s", r.result.Outcome, w.Outcome)
	}
	if w.Expect != nil {
		r.steps(w.Expect)
	}
	miscounted := w.Jobs != nil && *w.Jobs != r.result.Jobs
	if miscounted || len(r.result.Failures) > 0 && r.result.Jobs == 0 {
		r.explain()
	}
}

func (r *testRun) fail(format string, args ...any) {
	r.result.Failures = append(r.result.Failures, fmt.Sprintf(format, args...))
}

func (r *testRun) steps(expect []expectDocument) {
	at := 0
	for _, want := range expect {
		if want.Not != "" {
			if i := slices.IndexFunc(r.result.Ran, func(ran Ran) bool { return ran.is(want.Not) }); i >= 0 {
				r.fail("%s ran, and must not", r.result.Ran[i])
			}
			continue
		}
		if want.Held != "" {
			r.isHeld(want)
			continue
		}
		if want.Undo != "" {
			r.isUndone(want)
			continue
		}
		if at >= len(r.result.Ran) {
			r.fail("%s did not run", want.Run)
			continue
		}
		got := r.result.Ran[at]
		if !got.is(want.Run) {
			r.fail("step %d is %s, want %s", at+1, got, want.Run)
		} else {
			r.step(got, want)
		}
		at++
	}
	for _, more := range r.result.Ran[min(at, len(r.result.Ran)):] {
		if expectsSteps(expect) {
			r.fail("%s ran as well", more)
		}
	}
}

func (r *testRun) isHeld(want expectDocument) {
	i := slices.IndexFunc(r.held, func(ran Ran) bool { return ran.is(want.Held) })
	switch {
	case i < 0:
		r.fail("%s was not held", want.Held)
	case want.Reason != "" && want.Reason != r.held[i].Reason:
		r.fail("%s was held for %s, want %s", want.Held, r.held[i].Reason, want.Reason)
	}
}

func (r *testRun) isUndone(want expectDocument) {
	var seen []string
	for _, ran := range r.undos {
		if ran.Step == want.Undo || ran.Uses == want.Undo || r.usesOf(ran.Step) == want.Undo {
			if want.At == nil || *want.At == ran.At {
				return
			}
			seen = append(seen, ran.At.String())
		}
	}
	if len(seen) > 0 {
		r.fail("%s is undone at %s, want at %s", want.Undo, strings.Join(seen, ", "), *want.At)
		return
	}
	r.fail("%s is not undone", want.Undo)
}

// usesOf is the action of a step.
func (r *testRun) usesOf(id string) string {
	for _, s := range allSteps(r.rule.Rule) {
		if s.ID == id {
			return s.Uses
		}
	}
	return ""
}

// expectsSteps reports whether an expectation says what must run, or that nothing
// may, and not only what must not.
func expectsSteps(expect []expectDocument) bool {
	return len(expect) == 0 || slices.ContainsFunc(expect, func(e expectDocument) bool { return e.Run != "" })
}

func (r *testRun) step(got Ran, want expectDocument) {
	if want.At != nil && *want.At != got.At {
		r.fail("%s ran at %s, want at %s", got.Step, got.At, *want.At)
	}
	for _, d := range differences("", plainData(want.With), plainData(got.Args)) {
		r.fail("%s: %s", got.Step, d)
	}
}

// explain says what became of each event.
func (r *testRun) explain() {
	for i, e := range r.result.Events {
		if i == maxExplained {
			r.fail("… and %d more events", len(r.result.Events)-i)
			return
		}
		r.fail("event %d: %s", i+1, strings.Join(e.Reasons(), "; "))
	}
}

const maxExplained = 5

func (r Ran) is(name string) bool { return r.Uses == name || r.Step == name }

func (r Ran) String() string {
	if r.Step == r.Uses {
		return r.Uses
	}
	return fmt.Sprintf("%s (%s)", r.Step, r.Uses)
}

// plainData is a value as JSON has it, so that values can be compared whatever
// Go type they have.
func plainData(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return v
	}
	return expression.Plain(out)
}

// differences compares what is wanted, and only that, with what was got.
func differences(path string, want, got any) []string {
	w, isMap := want.(map[string]any)
	g, gotMap := got.(map[string]any)
	if !isMap || !gotMap {
		if want == nil && path == "" || reflect.DeepEqual(want, got) {
			return nil
		}
		return []string{fmt.Sprintf("%s is %s, want %s", path, show(got), show(want))}
	}
	var found []string
	for _, key := range slices.Sorted(maps.Keys(w)) {
		at := key
		if path != "" {
			at = path + "." + key
		}
		value, there := g[key]
		if !there {
			found = append(found, fmt.Sprintf("%s is not given, want %s", at, show(w[key])))
			continue
		}
		found = append(found, differences(at, w[key], value)...)
	}
	return found
}

// show is a value in a message: text in quotes, long ones cut.
func show(v any) string {
	if v == nil {
		return string(expression.Nothing)
	}
	text := fmt.Sprintf("%v", v)
	switch v.(type) {
	case string:
		text = fmt.Sprintf("%q", v)
	case map[string]any, []any, []string, []int:
		if data, err := json.Marshal(v); err == nil {
			text = string(data)
		}
	}
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown-1]) + "…"
	}
	return text
}

const maxShown = 120

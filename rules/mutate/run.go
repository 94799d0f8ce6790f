package mutate

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/diff"

	"edrpipe/rules"
)

// Report is what the tests of some rules noticed.
type Report struct {
	Rules []Rule `json:"rules"`
}

// Rule is what the tests of a rule noticed.
type Rule struct {
	ID        string     `json:"rule"`
	File      string     `json:"file"`
	Line      int        `json:"line"`
	Tests     int        `json:"tests"`
	Mutants   int        `json:"mutants"` // that load
	Noticed   int        `json:"noticed"`
	Refused   int        `json:"refused"` // by the checker, without any test
	Survivors []Survivor `json:"survivors,omitempty"`
}

// Survivor is a change that no test noticed.
type Survivor struct {
	Where string `json:"where"` // the path of what changed, in the rule
	What  string `json:"what"`
	Diff  string `json:"diff"` // of the rule
}

// Score is the part of the mutants that was noticed, in percent. Where there are
// none it is 100.
func (r Report) Score() float64 {
	mutants, noticed := r.Count()
	if mutants == 0 {
		return 100
	}
	return 100 * float64(noticed) / float64(mutants)
}

// Count is how many mutants there are and how many were noticed.
func (r Report) Count() (mutants, noticed int) {
	for _, rule := range r.Rules {
		mutants, noticed = mutants+rule.Mutants, noticed+rule.Noticed
	}
	return mutants, noticed
}

// Run mutates the rules of a set for which wanted is true, on all processors. A rule
// without tests that pass is an error: nothing can be said about it.
func Run(ctx context.Context, set *rules.Set, tests []*rules.Test, wanted func(*rules.Rule) bool) (Report, error) {
	r := &runner{set: set, tests: map[string][]*rules.Test{}}
	for _, t := range tests {
		r.tests[t.Rule] = append(r.tests[t.Rule], t)
	}
	if err := r.prepare(ctx, wanted); err != nil {
		return Report{}, err
	}
	r.run(ctx)
	return r.report(), ctx.Err()
}

type runner struct {
	set   *rules.Set
	tests map[string][]*rules.Test
	rules []*rules.Rule
	todo  []*trial
}

// trial is a mutant with what became of it.
type trial struct {
	mutant
	rule     *rules.Rule
	survivor *Survivor
	refused  bool
}

func (r *runner) prepare(ctx context.Context, wanted func(*rules.Rule) bool) error {
	for _, rule := range r.set.Rules() {
		if !wanted(rule) {
			continue
		}
		for _, t := range r.tests[rule.ID] {
			if !t.Run(ctx, r.set).Passed() {
				return fmt.Errorf("the test %s/%s fails: mutation needs tests that pass", rule.ID, t.Name)
			}
		}
		written, err := readRules(rule.File)
		if err != nil {
			return err
		}
		r.rules = append(r.rules, rule)
		for _, m := range mutantsOf(written[rule.ID]) {
			r.todo = append(r.todo, &trial{mutant: m, rule: rule})
		}
	}
	return nil
}

func (r *runner) run(ctx context.Context) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(r.todo)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				r.try(ctx, r.todo[i])
			}
		})
	}
	workers.Wait()
}

// try runs the tests of the rule on a mutant until one notices.
func (r *runner) try(ctx context.Context, t *trial) {
	for _, form := range t.forms {
		text := render(form)
		variant, err := r.set.Variant(t.rule.File, []byte(text))
		if err != nil {
			continue
		}
		for _, test := range r.tests[t.rule.ID] {
			if !test.Run(ctx, variant).Passed() {
				return
			}
		}
		t.survivor = &Survivor{t.where, t.what, difference(render(t.base), text)}
		return
	}
	t.refused = true
}

// difference is the unified diff of two texts of a rule, without the names.
func difference(old, new string) string {
	text := diff.Diff("rule", []byte(old), "mutant", []byte(new))
	if _, hunks, found := bytes.Cut(text, []byte("\n@@")); found {
		text = append([]byte("@@"), hunks...)
	}
	return string(text)
}

func (r *runner) report() Report {
	var report Report
	at := map[string]int{}
	for i, rule := range r.rules {
		at[rule.ID] = i
		report.Rules = append(report.Rules, Rule{ID: rule.ID, File: rule.File, Line: rule.Line, Tests: len(r.tests[rule.ID])})
	}
	for _, t := range r.todo {
		of := &report.Rules[at[t.rule.ID]]
		switch {
		case t.refused:
			of.Refused++
		case t.survivor != nil:
			of.Mutants++
			of.Survivors = append(of.Survivors, *t.survivor)
		default:
			of.Mutants++
			of.Noticed++
		}
	}
	return report
}

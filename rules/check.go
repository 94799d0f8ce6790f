package rules

import (
	"slices"

	"edrpipe/pkg/strictyaml"
)

// Checked is what Check has seen.
type Checked struct {
	Rules, Tests int
	Problems     strictyaml.Problems // warnings too
}

// Check loads rules with their tests, beside them and in *_test.yaml files, and
// says everything that is wrong with either: mistakes in rules hide none in tests.
// With requireTests a rule without any is a mistake.
func Check(requireTests bool, paths ...string) Checked {
	l, files := load(paths, nil)
	c := Checked{Rules: len(l.parsed)}
	var ids []string
	var tests []*Test
	for _, p := range l.parsed {
		ids = append(ids, p.rule.ID)
		tests = append(tests, p.tests()...)
		c.Problems = append(c.Problems, p.tags()...)
	}
	apart, problems := testFiles(paths, ids)
	tests = append(tests, apart...)
	c.Tests = len(tests)
	if l.problems.Err() == nil {
		set := l.set(files)
		problems = append(problems, set.Source().Warnings...)
		known := slices.DeleteFunc(tests, func(t *Test) bool { return !slices.Contains(ids, t.Rule) }) // that is said already
		problems = append(problems, set.CheckTests(known, requireTests)...)
	} else {
		problems = append(problems, l.problems...)
		for _, t := range tests {
			_, wrong := t.testEvents()
			problems = append(problems, wrong...)
		}
	}
	c.Problems = append(c.Problems, problems...).Sort()
	return c
}

package rules

import (
	"fmt"

	"edrpipe/pkg/strictyaml"
)

// CheckTests reports what is wrong with tests themselves, without running them;
// with require also the rules that have none.
func (s *Set) CheckTests(tests []*Test, require bool) strictyaml.Problems {
	var problems strictyaml.Problems
	tested := map[string]bool{}
	for _, t := range tests {
		tested[t.Rule] = true
		problems = append(problems, t.Check(s)...)
	}
	for _, r := range s.rules {
		if require && !tested[r.ID] {
			problems = append(problems, strictyaml.Problem{
				File: r.File, Line: r.Line, Message: fmt.Sprintf("rule %s has no test", r.ID),
				Hint: "add tests to it, or to a file whose name ends in _test.yaml",
			})
		}
	}
	return problems.Sort()
}

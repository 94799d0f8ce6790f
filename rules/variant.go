package rules

import "edrpipe/pkg/expression"

// Variant compiles another text of one rule of the set: with the set's lists, and
// beside the rules of the set that its correlation names. The variant has these
// rules only. The error, if any, is strictyaml.Problems.
func (s *Set) Variant(name string, text []byte) (*Set, error) {
	l := &loader{lists: s.source.Lists}
	if l.lists == nil {
		l.lists = newLists()
	}
	l.text(name, text)
	var memo expression.Memo
	c := newCompiler(l.lists, &memo)
	for _, p := range l.parsed {
		c.rule(p)
		l.problems = append(l.problems, p.problems...)
	}
	if err := l.problems.Err(); err != nil {
		return nil, l.problems.Sort()
	}
	var compiled []*Compiled
	written := map[string]bool{}
	for _, p := range l.parsed {
		compiled = append(compiled, p.compiled)
		written[p.rule.ID] = true
	}
	for _, p := range l.parsed {
		if p.rule.Correlate == nil {
			continue
		}
		for _, id := range p.rule.Correlate.Rules {
			if other, ok := s.Rule(id); ok && !written[id] {
				written[id] = true
				compiled = append(compiled, other)
			}
		}
	}
	variant := NewSet(compiled)
	variant.source.Lists = l.lists
	return variant, nil
}

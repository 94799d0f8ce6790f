package rules

// LoadText compiles the rules of a text, for those that are part of the program. They
// have no lists and no tests. The error, if any, is strictyaml.Problems.
func LoadText(name string, text []byte) (*Set, error) {
	l := &loader{lists: newLists()}
	l.text(name, text)
	l.compile()
	l.together(noRules{})
	if err := l.problems.Err(); err != nil {
		return nil, l.problems.Sort()
	}
	return l.set([]string{name}), nil
}

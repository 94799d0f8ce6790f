package expression

import "testing"

// vars is a scope with one variable.
func vars(m *Memo, name string, t *Type) *Scope {
	return EventScope().Remembering(m).With("vars", "", ObjectOf(Field{Name: name, Type: t}))
}

// badOnly is a single list, "bad", of nothing.
type badOnly struct{}

func (badOnly) Has(string, string) bool { return false }
func (badOnly) Names() []string         { return []string{"bad"} }

func TestMemoServesScopesWithTheSameTypes(t *testing.T) {
	var memo Memo
	here := vars(&memo, "who", TextType)
	lists := vars(&memo, "who", TextType).WithLists(badOnly{})
	for _, c := range []struct {
		name, source string
		other        *Scope
		shared       bool
	}{
		{"the same names", "vars.who", vars(&memo, "who", TextType), true},
		{"a name that is not used differs", "process.path", vars(&memo, "n", IntType), true},
		{"another name besides", "vars.who", here.With("item", "", IntType), true},
		{"another type", "vars.who", vars(&memo, "who", IntType), false},
		{"a name of the source is new", "let item = vars.who; item", here.With("other", "", TextType), true},
		{"another memory", "vars.who", vars(&Memo{}, "who", TextType), false},
		{"lists", `in_list(vars.who, "bad")`, lists.With("item", "", IntType), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := here
			if c.other.Lists() != nil {
				first = lists
			}
			a, err := first.Value(c.source)
			if err != nil {
				t.Fatal(err)
			}
			b, err := c.other.Value(c.source)
			if err != nil {
				t.Fatal(err)
			}
			if (a == b) != c.shared {
				t.Errorf("the program is shared: %v, want %v", a == b, c.shared)
			}
		})
	}
}

func TestMemoDoesNotHideMistakes(t *testing.T) {
	var memo Memo
	here := vars(&memo, "who", TextType)
	for _, c := range []struct {
		name, source string
		other        *Scope
	}{
		{"a field that is not there", "vars.who", vars(&memo, "whom", TextType)},
		{"a type that does not fit", `vars.who contains "x"`, vars(&memo, "who", IntType)},
		{"a name that is not there", "vars.who", EventScope().Remembering(&memo).With("item", "", TextType)},
		{"a word that is none of them", `vars.who == "zz"`, vars(&memo, "who", OneOf("aa", "bb"))},
		{"a text that is no digest", `vars.who == "zz"`, vars(&memo, "who", &Type{Kind: Text, Form: "md5"})},
		{"a name that let may not take", "let item = 1; item + 1", here.With("item", "", TextType)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := here.Value(c.source); err != nil {
				t.Fatal(err)
			}
			if _, err := c.other.Value(c.source); err == nil {
				t.Errorf("%s is accepted where it is wrong", c.source)
			}
		})
	}
}

func TestMemoKeepsConditionsApart(t *testing.T) {
	var memo Memo
	s := vars(&memo, "n", IntType)
	if _, err := s.Value("vars.n"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Condition("vars.n"); err == nil {
		t.Error("a number is accepted for a condition")
	}
}

func TestMemoIsBounded(t *testing.T) {
	var memo Memo
	s := vars(&memo, "n", IntType)
	for i := range maxRemembered + 10 {
		memo.keep(&Program{Source: string(rune(i)), scope: s}, nil, []Field{{Name: "n"}})
	}
	if memo.count > maxRemembered || len(memo.programs) > maxRemembered {
		t.Errorf("%d programs are remembered, want %d at most", memo.count, maxRemembered)
	}
}

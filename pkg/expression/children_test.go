package expression

import (
	"testing"

	"github.com/expr-lang/expr/parser"
)

// TestAlike: nodes are alike exactly where they are printed alike.
func TestAlike(t *testing.T) {
	t.Parallel()
	sources := []string{
		`process.name`, `process.path`, `process["name"]`, `process?.name`, `process.parent.name`, `parent.name`, `name`, `raw["a-b"]`, `raw["a"]`, `raw.list[0]`, `raw.list[1]`,
		`"name"`, `"path"`, `1`, `1.0`, `-1`, `true`, `nil`, `[1, 2]`, `[1, 3]`, `{"a": 1}`,
		`icontains(name, "a")`, `icontains(name, "b")`, `icontains(path, "a")`, `has(name)`, `lower(name)`, `upper(name)`, `lower(path)`,
		`name == "a"`, `name != "a"`, `name == "b"`, `path == "a"`, `"a" == name`, `name matches "a"`, `not (name matches "a")`, `name and path`, `name && path`, `x + 1`, `x + 1.0`, `x + 2`,
		`any(list, # == 1)`, `any(list, # == 2)`, `x ? 1 : 2`, `x ? 1 : 3`, `list[1:]`, `list[:1]`, `len(list)`,
	}
	equal := 0
	for _, a := range sources {
		for _, b := range sources {
			first, err := parser.Parse(a)
			if err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			second, err := parser.Parse(b)
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			want := printed(first.Node) == printed(second.Node)
			if got := alike(first.Node, second.Node); got != want {
				t.Errorf("%s and %s: alike %v, printed alike %v", a, b, got, want)
			}
			if want && a != b {
				equal++
			}
		}
	}
	if equal == 0 {
		t.Error("no two spellings are printed alike: this test compares nothing")
	}
}

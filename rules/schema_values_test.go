package rules

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// anyValues are values of every kind as YAML writes them, right and wrong ones.
var anyValues = []string{
	"x", `""`, "true", "~", "[]", "[a]", "[5, true]", "[[a]]", "[~]", "[{ a: 1 }]", "{}", "{ a: 1 }",
	"0", `"0"`, "1", "-1", "1.5", "9223372036854775807",
	"0s", "5m", "1.5h", "3d", "1us", "1µs", "-5m", ".5s", "5 m", "1y", "5mx", "x5m", "any",
}

// TestSchemaIsTheLoader: put at any place of a rule file, a value that loads is valid for
// the schema, and one that strict decoding refuses is marked.
func TestSchemaIsTheLoader(t *testing.T) {
	t.Parallel()
	data, err := Schema()
	schema := compileSchema(t, data, err)
	text, err := os.ReadFile("testdata/good/all-keys.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	lists := listsOf(t, "known-good", strings.Repeat("aa", 32)+"\n")
	compare := func(where string) {
		changed, err := yaml.Marshal(&root)
		if err != nil {
			t.Fatal(err)
		}
		file, problems := strictyaml.Parse("rules.yaml", changed)
		if len(problems) > 0 {
			return
		}
		var written fileDocument
		var value any
		refused := file.Documents[0].Decode(&written)
		if problems := file.Documents[0].Decode(&value); len(problems) > 0 {
			t.Fatal(problems)
		}
		marked := schema.Validate(value)
		switch {
		case marked == nil && len(refused) > 0:
			t.Errorf("%s is valid for the schema, and decoding refuses it: %v", where, refused)
		case marked != nil && len(refused) == 0:
			l := loader{lists: lists}
			l.text("testdata/good/rules.yaml", changed)
			if l.compile(); l.problems.Err() == nil {
				t.Errorf("%s loads, and the schema marks it: %v", where, marked)
			}
		}
	}
	var walk func(path string, n *yaml.Node)
	walk = func(path string, n *yaml.Node) {
		for i, kid := range n.Content {
			at := path
			if n.Kind == yaml.MappingNode {
				if i%2 == 0 || n.Content[i-1].Value == "<<" || strings.HasPrefix(n.Content[i-1].Value, "x-") {
					continue
				}
				at += "." + n.Content[i-1].Value
			}
			for _, value := range anyValues {
				var other yaml.Node
				if err := yaml.NewDecoder(strings.NewReader(value)).Decode(&other); err != nil {
					t.Fatal(err)
				}
				n.Content[i] = other.Content[0]
				compare(at + ": " + value)
			}
			n.Content[i] = kid
			walk(at, kid)
		}
	}
	walk("", root.Content[0])
	if again, _ := yaml.Marshal(&root); bytes.Contains(again, []byte("5mx")) {
		t.Error("the walk leaves the file changed")
	}
}

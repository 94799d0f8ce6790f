package rules

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/internal/golden"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

const referenceHead = `# Reference of the rule language

Generated from the code by ` + "`pipeline rules docs`" + `; a test keeps it current (go test ./rules -run TestReference -update).

`

// TestReference: the page in docs is what the code says.
func TestReference(t *testing.T) {
	golden.Check(t, "../docs/reference.md", referenceHead+Reference())
}

// TestFunctionExamples: every function's example is a condition that loads.
func TestFunctionExamples(t *testing.T) {
	lists := listsOf(t, "known-good", strings.Repeat("aa", 32)+"\n")
	scope := expression.EventScope().WithLists(lists)
	for _, f := range expression.Functions() {
		if f.Doc == "" || f.Example == "" || f.Result == nil {
			t.Errorf("%s is not documented", f.Name)
		}
		if _, err := scope.Condition(f.Example); err != nil {
			t.Errorf("%s: example %s: %v", f.Name, f.Example, err)
		}
		if !strings.Contains(f.Example, f.Name+"(") {
			t.Errorf("%s: the example %s does not use it", f.Name, f.Example)
		}
	}
}

func compileSchema(t *testing.T, data []byte, err error) *jsonschema.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("rules.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("rules.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate checks each document of a file against the schema.
func validate(t *testing.T, schema *jsonschema.Schema, file string) error {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, problems := strictyaml.Parse(file, data)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, doc := range parsed.Documents {
		var value any
		if problems := doc.Decode(&value); len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := schema.Validate(value); err != nil {
			return err
		}
	}
	return nil
}

// TestSchema: what loads is valid, what editors should mark is not.
func TestSchema(t *testing.T) {
	data, err := Schema()
	schema := compileSchema(t, data, err)
	good, _ := filepath.Glob("../examples/*/*.yaml")
	good = append(good, "testdata/good/all-keys.yaml")
	for _, file := range good {
		if isTestFile(filepath.Base(file)) {
			continue
		}
		if err := validate(t, schema, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, name := range []string{
		"unknown-key", "unknown-action", "unknown-parameter", "missing-parameter", "parameter-of-wrong-type",
		"durations-and-enums", "no-on", "rules-missing", "event-text-in-a-command",
	} {
		if validate(t, schema, "testdata/mistakes/"+name+".yaml") == nil {
			t.Errorf("%s is valid", name)
		}
	}
	data, err = SchemaOfTests()
	compileSchema(t, data, err)
}

package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/internal/config"
	"edrpipe/pkg/strictyaml"
)

// schemaNode is what editors read of a JSON Schema.
type schemaNode struct {
	Enum       []string
	Const      any
	Required   []string
	Properties map[string]*schemaNode
	Additional *bool `json:"additionalProperties"`
	Items      *schemaNode
	AnyOf      []*schemaNode
}

func schema(t *testing.T) *schemaNode {
	t.Helper()
	b, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	root := new(schemaNode)
	if err := json.Unmarshal(b, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestSchemaHasEveryKey: an editor shows each key with its words, and no other key at any
// level.
func TestSchemaHasEveryKey(t *testing.T) {
	t.Parallel()
	root := schema(t)
	for _, k := range config.Keys() {
		at := root
		for part := range strings.SplitSeq(k.Path, ".") {
			if at.Additional == nil || *at.Additional {
				t.Errorf("above %s any key is allowed", k.Path)
			}
			if at = at.Properties[part]; at == nil {
				t.Fatalf("%s is missing", k.Path)
			}
		}
		if !slices.Equal(at.Enum, k.Choice) {
			t.Errorf("%s is one of %q, want %q", k.Path, at.Enum, k.Choice)
		}
	}
}

// anyValues are values of every kind as YAML writes them, right and wrong ones.
var anyValues = []string{
	"x", `""`, `"5"`, "true", "~", "[]", "[a]", "[5, true]", "[[a]]", "[~]", "[{ a: 1 }]", "{}", "{ a: 1 }",
	"0", `"0"`, "1", "5", "6", "-1", "1.5", "9223372036854775807",
	"0s", "5m", "1h30m", "1.5h", "3d", "2w", "1us", "1µs", "-5m", ".5s", "1.s", "5 m", "m", "1y", "5mx", "x5m",
	"hold", "dir", "auto", "info", "Hold",
}

// TestSchemaIsTheLoader: for each key of the configuration and of servers an editor marks
// the values that loading refuses, and no other. Left out are different spellings of one
// value (True, 0x10, 1e3), which a schema does not see.
func TestSchemaIsTheLoader(t *testing.T) {
	t.Parallel()
	valid := validator(t)
	compare := func(text string) {
		t.Helper()
		c := config.Default()
		_, refused := strictyaml.Decode("pipeline.yaml", []byte(text), &c)
		marked := valid(text)
		if (refused == nil) != (marked == nil) {
			t.Errorf("%s\nloading: %v\nschema: %v", text, refused, marked)
		}
	}
	for _, k := range config.Keys() {
		parts := strings.Split(k.Path, ".")
		for _, value := range slices.Concat(anyValues, k.Choice) {
			for depth := range parts { // the value of the key, and of each section above
				compare(strings.Join(parts[:depth+1], ": { ") + ": " + value + strings.Repeat(" }", depth) + "\n")
			}
		}
	}
	for i, form := range schema(t).Properties["servers"].Items.AnyOf {
		kind := config.KindNames()[i]
		for path := range form.Properties {
			var needed strings.Builder
			for _, other := range form.Required {
				if other != path && other != "kind" {
					fmt.Fprintf(&needed, ", %s: a", other)
				}
			}
			for _, value := range anyValues {
				if path != "kind" {
					compare(fmt.Sprintf("servers: [ { kind: %s%s, %s: %s } ]\n", kind, needed.String(), path, value))
				}
			}
			compare(fmt.Sprintf("servers: [ { kind: %s%s } ]\n", kind, needed.String()))
		}
	}
}

// validator checks texts against the schema.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	data, err := json.Marshal(config.Schema())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pipeline.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled := c.MustCompile("pipeline.json")
	return func(text string) error {
		var value any
		if _, err := strictyaml.Decode("pipeline.yaml", []byte(text), &value); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return compiled.Validate(value)
	}
}

// TestSchemaOfServers: an entry has the keys of its kind, and only the default kind
// need not be named.
func TestSchemaOfServers(t *testing.T) {
	t.Parallel()
	forms := schema(t).Properties["servers"].Items.AnyOf
	if len(forms) != len(config.KindNames()) {
		t.Fatalf("%d forms for the kinds %q", len(forms), config.KindNames())
	}
	for i, kind := range config.KindNames() {
		form := forms[i]
		if form.Properties["kind"].Const != kind || form.Additional == nil || *form.Additional {
			t.Errorf("form %d is of kind %q", i, form.Properties["kind"].Const)
		}
		if form.Properties["host_mismatch"] == nil || form.Properties["amqp"].Properties["url"] == nil {
			t.Errorf("%s lacks the common keys", kind)
		}
		if named := slices.Contains(form.Required, "kind"); named != (kind != config.DefaultKind) || !slices.Contains(form.Required, "name") {
			t.Errorf("%s requires %q", kind, form.Required)
		}
		if own := form.Properties["org_key"] != nil; own != (kind == "other") {
			t.Errorf("%s has another kind's key: %v", kind, own)
		}
	}
}

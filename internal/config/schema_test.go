package config_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/config"
)

// schemaNode is what editors read of a JSON Schema.
type schemaNode struct {
	Type       string
	Pattern    string
	Enum       []string
	Const      string
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

// TestSchemaHasEveryKey: an editor knows each key, its kind and its words, and no other
// key at any level.
func TestSchemaHasEveryKey(t *testing.T) {
	t.Parallel()
	root := schema(t)
	types := map[string]string{"text": "string", "duration": "string", "list": "array", "number": "integer", "true or false": "boolean"}
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
		if at.Type != types[k.Kind] || !slices.Equal(at.Enum, k.Choice) {
			t.Errorf("%s is %q of %q, want %q of %q", k.Path, at.Type, at.Enum, types[k.Kind], k.Choice)
		}
	}
}

// TestSchemaOfDurations: what is written by default passes the pattern, and what is no
// duration does not.
func TestSchemaOfDurations(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(schema(t).Properties["grace"].Pattern)
	for _, k := range config.Keys() {
		if text := k.Get(config.Default()); k.Kind == "duration" && !pattern.MatchString(text) {
			t.Errorf("the default %s of %s does not pass", text, k.Path)
		}
	}
	for _, bad := range []string{"5", "5 m", "-5m", "m", "1y", ""} {
		if pattern.MatchString(bad) {
			t.Errorf("%q passes", bad)
		}
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

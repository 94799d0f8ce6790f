package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/invopop/jsonschema"

	"edrpipe/pkg/strictyaml"
)

// Example writes a commented pipeline.yaml with every key and its default.
func Example(w io.Writer) error {
	_, err := io.WriteString(w, render(Default(), func(k Key, c Config) string { return k.Get(c) })+exampleSecrets+exampleServers()+exampleOutputs()+exampleListSources())
	return err
}

// Print writes the configuration as a file with the origin of each value.
func Print(w io.Writer, c Config, origins Origins) error {
	_, err := io.WriteString(w, render(c, func(k Key, c Config) string {
		return fmt.Sprintf("%s  # %s", k.Get(c), origins[k.Path])
	}, withoutDocs)+c.Secrets.print()+printServers(c.Servers, origins)+printOutputs(c.Outputs, origins)+printListSources(c.ListSources, origins))
	return err
}

func withoutDocs(Key) string { return "" }

// render writes all keys as YAML, nested by the parts of their paths.
func render(c Config, value func(Key, Config) string, docs ...func(Key) string) string {
	doc := func(k Key) string { return k.Doc }
	if len(docs) > 0 {
		doc = docs[0]
	}
	var b strings.Builder
	var open []string
	for _, k := range Keys() {
		parts := strings.Split(k.Path, ".")
		last := len(parts) - 1
		for i, p := range parts[:last] {
			if i < len(open) && open[i] == p {
				continue
			}
			open = append(open[:i:i], p)
			fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), p)
		}
		open = open[:last]
		indent := strings.Repeat("  ", last)
		if d := doc(k); d != "" {
			fmt.Fprintf(&b, "%s# %s\n", indent, d)
		}
		fmt.Fprintf(&b, "%s%s: %s\n", indent, parts[last], value(k, c))
	}
	return b.String()
}

// Schema is the JSON Schema of pipeline.yaml, for editors.
func Schema() *jsonschema.Schema {
	root := object("edrpipe configuration")
	for _, k := range Keys() {
		at := root
		parts := strings.Split(k.Path, ".")
		for _, p := range parts[:len(parts)-1] {
			next, ok := at.Properties.Get(p)
			if !ok {
				next = object("")
				at.Properties.Set(p, next)
			}
			at = next
		}
		at.Properties.Set(parts[len(parts)-1], k.schema())
	}
	root.Properties.Set("servers", serversSchema())
	root.Properties.Set("secrets", secretsSchema())
	root.Properties.Set("outputs", outputsSchema())
	root.Properties.Set("list_sources", listSourcesSchema())
	root.Version = jsonschema.Version
	return root
}

func object(title string) *jsonschema.Schema {
	return &jsonschema.Schema{Title: title, Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
}

// schema takes what strict decoding takes: for text any scalar, as it is written.
func (k Key) schema() *jsonschema.Schema {
	s := &jsonschema.Schema{Description: k.Doc}
	scalar := map[string]any{"type": []string{"string", "number", "boolean"}}
	switch k.Kind {
	case "duration":
		s.AnyOf = []*jsonschema.Schema{{Type: "string", Pattern: strictyaml.DurationPattern}, {Const: 0}}
	case "list":
		s.Type, s.Items = "array", &jsonschema.Schema{Extras: scalar}
	case "number":
		s.Type, s.Minimum, s.Maximum = "integer", json.Number(k.Min), json.Number(k.Max)
	case "true or false":
		s.Type = "boolean"
	default:
		s.Extras = scalar
		for _, v := range k.Choice {
			s.Enum = append(s.Enum, v)
		}
	}
	return s
}

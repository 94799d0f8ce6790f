package web

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"
)

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

// OpenAPI describes the calls. It is made from the routes that serve them, so the two
// cannot differ.
func OpenAPI(routes []Route) map[string]any {
	r := &jsonschema.Reflector{DoNotReference: false, AllowAdditionalProperties: true}
	schemas := map[string]any{}
	paths := map[string]map[string]any{}
	for _, rt := range routes {
		if rt.raw != nil {
			continue
		}
		op := map[string]any{
			"summary":     rt.summary,
			"description": "Role: " + string(rt.Role) + " or higher.",
			"responses": map[string]any{
				"200": content("what was asked for", schemaOf(r, rt.out, schemas)),
				"4XX": content("what is wrong", map[string]any{"$ref": "#/components/schemas/Error"}),
			},
		}
		var params []any
		for _, m := range pathParam.FindAllStringSubmatch(rt.Path, -1) {
			params = append(params, param(m[1], "path", true))
		}
		for _, q := range rt.query {
			params = append(params, param(q, "query", false))
		}
		if params != nil {
			op["parameters"] = params
		}
		if rt.in != reflect.TypeFor[struct{}]() {
			body := content("", schemaOf(r, rt.in, schemas))
			delete(body, "description")
			op["requestBody"] = body
		}
		if paths[rt.Path] == nil {
			paths[rt.Path] = map[string]any{}
		}
		paths[rt.Path][strings.ToLower(rt.Method)] = op
	}
	schemas["Error"] = map[string]any{"type": "object", "properties": map[string]any{"error": map[string]any{"type": "string"}}}
	return map[string]any{
		"openapi":    "3.1.0",
		"info":       map[string]any{"title": "edrpipe", "version": "1", "description": "Send Authorization: Bearer TOKEN."},
		"paths":      paths,
		"security":   []any{map[string]any{"token": []any{}}},
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer"}}},
	}
}

func param(name, in string, required bool) map[string]any {
	return map[string]any{"name": name, "in": in, "required": required, "schema": map[string]any{"type": "string"}}
}

func content(description string, schema any) map[string]any {
	return map[string]any{"description": description, "content": map[string]any{"application/json": map[string]any{"schema": schema}}}
}

// schemaOf describes a type, and puts the types it refers to among schemas.
func schemaOf(r *jsonschema.Reflector, t reflect.Type, schemas map[string]any) any {
	b, err := json.Marshal(r.ReflectFromType(t))
	if err != nil {
		panic(err) // schemas always can be
	}
	text := strings.ReplaceAll(string(b), "#/$defs/", "#/components/schemas/")
	var s map[string]any
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		panic(err) // just made
	}
	if defs, ok := s["$defs"].(map[string]any); ok {
		for name, def := range defs {
			schemas[name] = def
		}
	}
	delete(s, "$defs")
	delete(s, "$schema")
	delete(s, "$id")
	return s
}

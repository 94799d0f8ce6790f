package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/internal/web"
)

// needs is who may make each call. It is written out by hand: a new route, or one
// whose role changes, has to be put here too.
var needs = map[string]web.Role{
	"GET /api/v1/stream": web.Viewer, "GET /api/v1/artifacts/{id}": web.Approver,
	"GET /api/v1/overview": web.Viewer, "GET /api/v1/jobs": web.Viewer, "POST /api/v1/jobs": web.Admin, "GET /api/v1/jobs/{id}": web.Viewer,
	"POST /api/v1/jobs/{id}/cancel": web.Admin, "POST /api/v1/jobs/{id}/retry": web.Admin, "POST /api/v1/jobs/{id}/resolve": web.Admin,
	"POST /api/v1/jobs/{id}/undo": web.Admin, "POST /api/v1/jobs/{id}/answer": web.Approver, "GET /api/v1/rules": web.Viewer, "POST /api/v1/rules/{id}/reset": web.Approver, "GET /api/v1/sensors": web.Viewer, "GET /api/v1/endpoint": web.Viewer,
	"GET /api/v1/guards": web.Viewer, "POST /api/v1/dry-run": web.Approver, "POST /api/v1/stop": web.Approver, "POST /api/v1/resume": web.Approver, "POST /api/v1/silences": web.Approver,
	"GET /api/v1/quarantine": web.Admin, "POST /api/v1/quarantine/drop": web.Admin, "POST /api/v1/quarantine/restore": web.Admin,
	"DELETE /api/v1/silences/{id}": web.Approver, "GET /api/v1/audit": web.Admin, "GET /api/v1/audit/verify": web.Admin, "GET /api/v1/why": web.Viewer, "GET /api/v1/events": web.Viewer, "GET /api/v1/artifacts": web.Viewer,
	"GET /api/v1/decisions":   web.Viewer,
	"GET /api/v1/events/{id}": web.Viewer, "GET /api/v1/dead": web.Viewer, "GET /api/v1/approvals": web.Viewer, "GET /api/v1/doctor": web.Approver, "GET /api/v1/rules/{id}": web.Viewer, "GET /api/v1/jobs/{id}/test": web.Viewer, "GET /api/v1/dead/{seq}": web.Viewer, "POST /api/v1/dead/replay": web.Admin, "POST /api/v1/dead/purge": web.Admin,
}

func TestEveryCallNeedsItsRole(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, rt := range new(Console).Routes() {
		call := rt.Method + " " + rt.Path
		seen[call] = true
		if needs[call] != rt.Role {
			t.Errorf("%s needs %q, and this test says %q", call, rt.Role, needs[call])
		}
	}
	for call := range needs {
		if !seen[call] {
			t.Errorf("%s is no call", call)
		}
	}
}

func TestQueriesThatAreWrong(t *testing.T) {
	t.Parallel()
	c := new(Console)
	for name, path := range map[string]string{
		"limit": "/api/v1/jobs?limit=many", "time": "/api/v1/jobs?since=yesterday", "offset": "/api/v1/sensors?offset=-1",
		"last": "/api/v1/audit?last=x", "noted": "/api/v1/audit/verify?noted=12", "files": "/api/v1/artifacts?limit=-2", "dead": "/api/v1/dead?before=x",
	} {
		for _, rt := range c.Routes() {
			r := httptest.NewRequest("GET", path, nil)
			if rt.Method != "GET" || rt.Path != r.URL.Path {
				continue
			}
			w := httptest.NewRecorder()
			if rt.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
	}
}

// TestOpenAPI checks that the document's schemas are schemas, that every
// reference leads somewhere, and that every route is described.
func TestOpenAPI(t *testing.T) {
	text, err := json.Marshal(web.OpenAPI(new(Console).Routes()))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	if v := root["openapi"]; v != "3.1.0" {
		t.Errorf("openapi %v", v)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	schemas := root["components"].(map[string]any)["schemas"].(map[string]any)
	for name := range schemas {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	paths := root["paths"].(map[string]any)
	for call := range needs {
		method, path, _ := strings.Cut(call, " ")
		if path == "/api/v1/stream" || path == "/api/v1/artifacts/{id}" {
			continue // not JSON
		}
		op, ok := paths[path].(map[string]any)[strings.ToLower(method)].(map[string]any)
		if !ok {
			t.Errorf("%s is not described", call)
			continue
		}
		for where, schema := range referred(op) {
			if _, err := c.Compile("openapi.json" + schema); err != nil {
				t.Errorf("%s, %s: %v", call, where, err)
			}
		}
	}
}

// referred finds every $ref below v.
func referred(v any) map[string]string {
	found := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if ref, ok := x.(string); ok && k == "$ref" {
					found[path] = ref
				}
				walk(path+"/"+k, x)
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprint(path, "/", i), x)
			}
		}
	}
	walk("", v)
	return found
}

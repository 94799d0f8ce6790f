package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"edrpipe/internal/health"
	"edrpipe/internal/printable"
	"edrpipe/internal/web"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/edr"
)

// hostile is what an endpoint may be called: it clears the screen, colors, reorders
// what follows, and moves the cursor by a single character of the upper half.
const hostile = "Ü検証\x1b[2J\x1b[31mx\u202ey\u009b2Jz\rw\x07"

// filled returns a value whose every text is hostile.
func filled(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	switch {
	case t == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)))
		return v
	case t == reflect.TypeFor[json.RawMessage]():
		text, _ := json.Marshal(hostile)
		v.SetBytes(text)
		return v
	case t == reflect.TypeFor[edr.Endpoint](): // refuses such text by itself
		v.Set(reflect.ValueOf(edr.Endpoint{Server: "hq", ID: "42"}))
		return v
	case depth == 0:
		return v
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(filled(t.Elem(), depth-1).Addr())
	case reflect.Slice:
		v.Set(reflect.Append(v, filled(t.Elem(), depth-1)))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(filled(t.Key(), depth), filled(t.Elem(), depth-1))
	case reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				v.Field(i).Set(filled(t.Field(i).Type, depth-1))
			}
		}
	}
	return v
}

// hostileService answers each call with hostile text.
func hostileService(t *testing.T) string {
	answer := func(v any) http.HandlerFunc {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
	}
	of := func(v any) http.HandlerFunc { return answer(filled(reflect.TypeOf(v), 6).Interface()) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/jobs", of(web.JobsPage{}))
	mux.HandleFunc("GET /api/v1/jobs/ended", of(web.JobPage{}))
	mux.HandleFunc("GET /api/v1/guards", of(web.GuardsPage{}))
	mux.HandleFunc("GET /api/v1/why", of(web.Why{}))
	mux.HandleFunc("GET /api/v1/sensors", of(web.SensorsPage{}))
	mux.HandleFunc("GET /api/v1/artifacts", of([]actions.Artifact{}))
	mux.HandleFunc("GET /api/v1/audit", of([]audit.Entry{}))
	mux.HandleFunc("GET /api/v1/audit/verify", of(web.AuditReport{}))
	mux.HandleFunc("GET /readyz", answer(map[string]any{"ready": false, "checks": filled(reflect.TypeFor[[]health.Check](), 6).Interface()}))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": hostile})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// TestNoCommandLetsAnEndpointCommandTheTerminal: words stay, what a terminal obeys
// does not, in every form of output and in errors.
func TestNoCommandLetsAnEndpointCommandTheTerminal(t *testing.T) {
	url := hostileService(t)
	dir := t.TempDir()
	t.Setenv("EDRPIPE_URL", url)
	t.Setenv("EDRPIPE_TOKEN", "token")
	t.Setenv("COLUMNS", "80")
	events := filepath.Join(dir, "events.jsonl")
	line, _ := json.Marshal(map[string]any{
		"type": "ingress.event.procstart", "sensor_id": 1, "computer_name": hostile, "timestamp": 1790000000, "pid": 7,
		"path": `c:\` + hostile, "command_line": hostile, "username": hostile, "cb_server": hostile, "process_guid": "00000001-0000-1004-01dc-5b0000000001",
	})
	if err := os.WriteFile(events, append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "rules.yaml")
	if err := os.WriteFile(rules, []byte("rules:\n  - id: r\n    title: "+`"Ü検証\e[2J"`+"\n    on: process_start\n    when: process.pid > 0\n    steps: [ { uses: list_processes } ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words string
		quiet bool // prints no text of the service
	}{
		{"jobs list", false}, {"jobs show ended", false}, {"jobs cancel x --why x", false}, {"silence list", false}, {"why x", false}, {"sensors", false},
		{"artifacts list", false}, {"audit show", false}, {"audit verify", false}, {"health", false}, {"stop --why x", false},
		{"rules explain --event " + events + " " + rules, true}, {"rules backtest --events " + events + " " + rules, true}, {"rules list " + rules, true},
	} {
		for _, form := range []string{"", " -o json", " -o yaml"} {
			if form != "" && (c.quiet || c.words == "health") {
				continue
			}
			t.Run(c.words+form, func(t *testing.T) {
				var out, errs strings.Builder
				status := run(t.Context(), strings.Fields(c.words+form), strings.NewReader(""), &out, &errs)
				all := out.String() + errs.String()
				if status == exitUsage {
					t.Fatalf("usage: %s", all)
				}
				for _, r := range all {
					if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
						t.Fatalf("%U reaches the terminal: %q", r, all)
					}
				}
				if !c.quiet && !strings.Contains(all, "Ü検証") {
					t.Errorf("people's words are not as they wrote them: %q", all)
				}
			})
		}
	}
}

// TestTextIsHarmlessBesideColors: on a terminal, colors of our own pass, and those
// of an endpoint do not.
func TestTextIsHarmlessBesideColors(t *testing.T) {
	var shown strings.Builder
	w := &printable.Writer{Out: &shown, Colors: true}
	page := filled(reflect.TypeFor[web.JobPage](), 6).Interface().(web.JobPage)
	showJob(w, page)
	g := newTable(w, "a", "b")
	g.AppendRow([]any{hostile, painted("\x1b[32mok\x1b[0m")})
	g.Render()
	if !strings.Contains(shown.String(), "\x1b[32mok") || strings.Contains(shown.String(), "\x1b[31m") {
		t.Errorf("%q", shown.String())
	}
}

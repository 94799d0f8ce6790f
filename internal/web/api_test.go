package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/audit"
	"edrpipe/pkg/jobs"
)

// fakeService answers every call with err, or with next to nothing.
type fakeService struct {
	err    error
	called string
	job    JobPage
	jobs   JobQuery
}

func (f *fakeService) did(what string) error { f.called = what; return f.err }

func (f *fakeService) Overview(context.Context) (Overview, error) {
	return Overview{}, f.did("overview")
}
func (f *fakeService) Jobs(_ context.Context, q JobQuery) ([]JobLine, error) {
	f.jobs = q
	return []JobLine{}, f.did("jobs")
}
func (f *fakeService) Job(context.Context, string) (JobPage, error) { return f.job, f.did("job") }
func (f *fakeService) Submit(context.Context, User, Submission) (JobLine, error) {
	return JobLine{}, f.did("submit")
}
func (f *fakeService) Cancel(context.Context, User, string, string) error { return f.did("cancel") }
func (f *fakeService) Retry(context.Context, User, string, string) (JobLine, error) {
	return JobLine{}, f.did("retry")
}
func (f *fakeService) Resolve(context.Context, User, string, Resolution) (JobLine, error) {
	return JobLine{}, f.did("resolve")
}
func (f *fakeService) Undo(context.Context, User, string, string) ([]string, error) {
	return nil, f.did("undo")
}
func (f *fakeService) Answer(context.Context, User, string, Answer) error { return f.did("answer") }
func (f *fakeService) Rules(context.Context) (RulesPage, error)           { return RulesPage{}, f.did("rules") }
func (f *fakeService) Sensors(context.Context, SensorQuery) (SensorsPage, error) {
	return SensorsPage{}, f.did("sensors")
}
func (f *fakeService) Guards(context.Context) (GuardsPage, error) {
	return GuardsPage{}, f.did("guards")
}
func (f *fakeService) Stop(context.Context, User, string) error   { return f.did("stop") }
func (f *fakeService) Resume(context.Context, User, string) error { return f.did("resume") }
func (f *fakeService) Silence(context.Context, User, Silence) (Silence, error) {
	return Silence{}, f.did("silence")
}
func (f *fakeService) Unsilence(context.Context, User, string) error { return f.did("unsilence") }
func (f *fakeService) Artifacts(context.Context, ArtifactQuery) ([]actions.Artifact, error) {
	return nil, f.did("artifacts")
}
func (f *fakeService) Artifact(context.Context, string) (actions.Artifact, io.ReadCloser, error) {
	const text = "<script>alert(1)</script>"
	return actions.Artifact{Name: "\"\r\nX-Bad: 1.html", Size: int64(len(text)), SHA256: "5"}, io.NopCloser(strings.NewReader(text)), f.did("artifact")
}
func (f *fakeService) Audit(context.Context, int) ([]json.RawMessage, error) {
	return nil, f.did("audit")
}
func (f *fakeService) VerifyAudit(context.Context, []audit.Head) (AuditReport, error) {
	return AuditReport{}, f.did("verify")
}
func (f *fakeService) Why(context.Context, string) (Why, error) { return Why{}, f.did("why") }
func (f *fakeService) Notices(_ context.Context, see func(string, []byte)) error {
	see("edr.jobs.1.running", []byte(`{"type":"t"}`))
	return f.did("notices")
}

// site is a web server for a test, with a token for each role.
type site struct {
	URL    string
	tokens map[Role]string
}

func startWeb(t *testing.T, service Service, o *OIDC) site {
	t.Helper()
	tokens := map[Role]string{Viewer: NewToken(), Approver: NewToken(), Admin: NewToken()}
	users := &Users{List: []User{
		{Name: "vera", Role: Viewer, Token: HashToken(tokens[Viewer])},
		{Name: "otto", Role: Approver, Token: HashToken(tokens[Approver])},
		{Name: "ada", Role: Admin, Token: HashToken(tokens[Admin]), Email: "ada@example.org"},
	}}
	file := filepath.Join(t.TempDir(), "users.yaml")
	if err := users.Save(file); err != nil {
		t.Fatal(err)
	}
	opened, err := OpenUsers(file, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Listen(Config{
		Listen: "127.0.0.1:0", Users: opened, Service: service, OIDC: o, Log: zerolog.Nop(),
		Ready:   func(context.Context) []Check { return []Check{{Name: "bus", OK: false, Text: "is down"}} },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if o != nil {
		s.organisation.Redirect = s.URL() + "/auth/callback"
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return site{URL: s.URL(), tokens: tokens}
}

// ask makes one request in a role; the empty one is nobody.
func (s site) ask(t *testing.T, method, path string, role Role, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+s.tokens[role])
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// needs is who may make each call. It is written out by hand: a new route, or one
// whose role changes, has to be put here too.
var needs = map[string]Role{
	"GET /metrics": Viewer, "GET /debug/pprof/heap": Admin, "GET /debug/pprof/profile?seconds=1": Admin, "GET /api/openapi.json": Viewer, "GET /api/v1/artifacts/a": Approver,
	"GET /api/v1/me": Viewer, "GET /api/v1/overview": Viewer, "GET /api/v1/jobs": Viewer, "POST /api/v1/jobs": Admin, "GET /api/v1/jobs/{id}": Viewer,
	"POST /api/v1/jobs/{id}/cancel": Admin, "POST /api/v1/jobs/{id}/retry": Admin, "POST /api/v1/jobs/{id}/resolve": Admin,
	"POST /api/v1/jobs/{id}/undo": Admin, "POST /api/v1/jobs/{id}/answer": Approver, "GET /api/v1/rules": Viewer, "GET /api/v1/sensors": Viewer,
	"GET /api/v1/guards": Viewer, "POST /api/v1/stop": Approver, "POST /api/v1/resume": Approver, "POST /api/v1/silences": Approver,
	"DELETE /api/v1/silences/{id}": Approver, "GET /api/v1/audit": Admin, "GET /api/v1/audit/verify": Admin, "GET /api/v1/why": Viewer, "GET /api/v1/artifacts": Viewer,
}

func TestEveryCallAsksForItsRole(t *testing.T) {
	s := startWeb(t, &fakeService{}, nil)
	for _, rt := range api(&fakeService{}) {
		if needs[rt.method+" "+rt.path] == "" {
			t.Errorf("%s %s is not in this test", rt.method, rt.path)
		}
	}
	for call, need := range needs {
		method, path, _ := strings.Cut(call, " ")
		path = strings.ReplaceAll(path, "{id}", "x")
		for _, role := range []Role{"", Viewer, Approver, Admin} {
			want := http.StatusOK
			switch {
			case role == "":
				want = http.StatusUnauthorized
			case !role.Allows(need):
				want = http.StatusForbidden
			}
			if res, body := s.ask(t, method, path, role, ""); res.StatusCode != want {
				t.Errorf("%s as %q: %d, want %d: %s", call, role, res.StatusCode, want, body)
			}
		}
	}
}

func TestWhatIsOpenToAll(t *testing.T) {
	s := startWeb(t, &fakeService{}, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/login": 200, "/static/app.js": 200, "/auth/offers": 200, "/auth/start": 404, "/v1/ingest": 404, "/": 401, "/api/v1/stream": 401, "/nothing": 404} {
		if res, _ := s.ask(t, "GET", path, "", ""); res.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestErrorsSayWhoseTheyAre(t *testing.T) {
	f := &fakeService{}
	s := startWeb(t, f, nil)
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"bad request": {errors.Join(ErrBadRequest, errors.New("sensor is missing")), 400},
		"no job":      {fmt.Errorf("job x: %w", jobs.ErrNoJob), 404},
		"no file":     {fmt.Errorf("artifact x: %w", fs.ErrNotExist), 404},
		"refused":     {fmt.Errorf("job x: %w", jobs.ErrRefused), 409},
		"ours":        {errors.New("the bus is gone"), 500},
		"shutdown":    {context.Canceled, 503},
	} {
		f.err = tc.err
		res, body := s.ask(t, "GET", "/api/v1/jobs/x", Admin, "")
		if res.StatusCode != tc.want || !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, tc.want)
		}
	}
}

func TestWhatTheCallerGetsWrong(t *testing.T) {
	f := &fakeService{}
	s := startWeb(t, f, nil)
	for name, tc := range map[string]struct{ method, path, body string }{
		"unknown key":  {"POST", "/api/v1/stop", `{"wyh": "x"}`},
		"no JSON":      {"POST", "/api/v1/jobs", `sensor=1`},
		"limit":        {"GET", "/api/v1/jobs?limit=many", ""},
		"time":         {"GET", "/api/v1/jobs?since=yesterday", ""},
		"offset":       {"GET", "/api/v1/sensors?offset=-1", ""},
		"body too big": {"POST", "/api/v1/stop", `{"why": "` + strings.Repeat("x", maxBody) + `"}`},
	} {
		f.called = ""
		if res, body := s.ask(t, tc.method, tc.path, Admin, tc.body); res.StatusCode != 400 || f.called != "" {
			t.Errorf("%s: %d %.200s, want 400 and nothing done, did %q", name, res.StatusCode, body, f.called)
		}
	}
	if s.ask(t, "GET", "/api/v1/jobs?limit=100000000", Viewer, ""); f.jobs.Limit != MaxList {
		t.Errorf("a list of %d, want %d at the most", f.jobs.Limit, MaxList)
	}
}

func TestAnArtifactIsNeverShown(t *testing.T) {
	s := startWeb(t, &fakeService{}, nil)
	res, body := s.ask(t, "GET", "/api/v1/artifacts/a", Approver, "")
	if res.StatusCode != 200 || body != "<script>alert(1)</script>" {
		t.Fatalf("%d %q", res.StatusCode, body)
	}
	for header, want := range map[string]string{"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "X-Bad": ""} {
		if got := res.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if got := res.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
		t.Errorf("a browser would show it: %q", got)
	}
}

func TestNoticesAreStreamed(t *testing.T) {
	s := startWeb(t, &fakeService{}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/api/v1/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[Viewer])
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want := `data: {"event":{"type":"t"},"subject":"edr.jobs.1.running"}`
	var got bytes.Buffer
	for b := make([]byte, 512); !strings.Contains(got.String(), want); {
		n, err := res.Body.Read(b)
		got.Write(b[:n])
		if err != nil {
			t.Fatalf("got %q, want %q in it", got.String(), want)
		}
	}
}

// TestOpenAPI checks that the document's schemas are schemas, that every
// reference leads somewhere, and that every route is described.
func TestOpenAPI(t *testing.T) {
	w := httptest.NewRecorder()
	writeJSON(w, 200, openAPI(api(&fakeService{})))
	doc, err := jsonschema.UnmarshalJSON(w.Body)
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
		if !strings.HasPrefix(path, "/api/v1/") || strings.HasSuffix(path, "/a") {
			continue
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

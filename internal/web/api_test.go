package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"edrpipe/internal/health"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

// routes are one of each kind and role. They fail with *fail, and count calls in *done.
func routes(fail *error, done *int) []Route {
	get := func(path string, role Role) Route {
		return JSON("GET", path, role, "x", func(*http.Request, struct{}) (Reason, error) { *done++; return Reason{}, *fail })
	}
	return []Route{
		get("/api/v1/look", Viewer), get("/api/v1/things/{id}", Approver),
		JSON("GET", "/api/v1/list", Viewer, "x", func(r *http.Request, _ struct{}) (int, error) { return Limit(r, "limit") }, "limit"),
		JSON("POST", "/api/v1/change", Admin, "x", func(_ *http.Request, in Reason) (Reason, error) { *done++; return in, *fail }),
		Raw("GET", "/api/v1/files/{id}", Approver, Download{Open: func(context.Context, string) (actions.Artifact, io.ReadCloser, error) {
			const text = "<script>alert(1)</script>"
			return actions.Artifact{Name: "\"\r\nX-Bad: 1.html", Size: int64(len(text)), SHA256: "5"}, io.NopCloser(strings.NewReader(text)), *fail
		}, Log: zerolog.Nop()}),
		Raw("GET", "/api/v1/stream", Viewer, Stream{Notices: func(_ context.Context, see func(string, []byte)) error {
			see("edr.jobs.1.running", []byte(`{"type":"t"}`))
			return nil
		}, Log: zerolog.Nop()}),
	}
}

// site is a web server for a test, with a token for each role.
type site struct {
	URL    string
	tokens map[Role]string
	users  string // file
}

func startWeb(t *testing.T, o *OIDC) (s site, fail *error, done *int) {
	t.Helper()
	return startServer(t, o, func(*Server) {})
}

// startServer lets a test change the server before it answers.
func startServer(t *testing.T, o *OIDC, change func(*Server)) (s site, fail *error, done *int) {
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
	fail, done = new(error), new(int)
	server, err := Listen(Config{
		Listen: "127.0.0.1:0", Users: opened, Routes: routes(fail, done), OIDC: o, Log: zerolog.Nop(),
		Ready: func(context.Context) []health.Check {
			return []health.Check{health.Bad("bus", health.Failed, "mend it", "is down").Need()}
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if o != nil {
		server.organisation.Redirect = server.URL() + "/auth/callback"
	}
	change(server)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return site{URL: server.URL(), tokens: tokens, users: file}, fail, done
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

// needs is the role of each call of a server with these routes.
var needs = map[string]Role{
	"GET /metrics": Viewer, "GET /debug/pprof/heap": Admin, "GET /debug/pprof/profile?seconds=1": Admin, "GET /api/openapi.json": Viewer, "GET /api/v1/me": Viewer,
	"GET /api/v1/look": Viewer, "GET /api/v1/things/a": Approver, "GET /api/v1/list": Viewer, "POST /api/v1/change": Admin, "GET /api/v1/files/a": Approver,
}

func TestEveryCallAsksForItsRole(t *testing.T) {
	s, _, _ := startWeb(t, nil)
	for call, need := range needs {
		method, path, _ := strings.Cut(call, " ")
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
	s, _, _ := startWeb(t, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/login": 200, "/static/app.js": 200, "/auth/offers": 200, "/auth/start": 404, "/v1/ingest": 404, "/": 401, "/api/v1/stream": 401, "/nothing": 404} {
		if res, _ := s.ask(t, "GET", path, "", ""); res.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestErrorsSayWhoseTheyAre(t *testing.T) {
	s, fail, _ := startWeb(t, nil)
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
		*fail = tc.err
		res, body := s.ask(t, "GET", "/api/v1/things/x", Admin, "")
		if res.StatusCode != tc.want || !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s: %d %s, want %d", name, res.StatusCode, body, tc.want)
		}
	}
}

func TestWhatTheCallerGetsWrong(t *testing.T) {
	s, _, done := startWeb(t, nil)
	for name, tc := range map[string]struct{ method, path, body string }{
		"unknown key": {"POST", "/api/v1/change", `{"wyh": "x"}`},
		"no JSON":     {"POST", "/api/v1/change", `sensor=1`},
		"limit":       {"GET", "/api/v1/list?limit=many", ""},
		"below zero":  {"GET", "/api/v1/list?limit=-1", ""},
	} {
		if res, body := s.ask(t, tc.method, tc.path, Admin, tc.body); res.StatusCode != 400 || *done != 0 {
			t.Errorf("%s: %d %.200s, want 400 and nothing done", name, res.StatusCode, body)
		}
	}
	if _, n := s.ask(t, "GET", "/api/v1/list?limit=100000000", Viewer, ""); strings.TrimSpace(n) != strconv.Itoa(MaxList) {
		t.Errorf("a list of %s, want %d at the most", n, MaxList)
	}
}

func TestAnArtifactIsNeverShown(t *testing.T) {
	s, _, _ := startWeb(t, nil)
	res, body := s.ask(t, "GET", "/api/v1/files/a", Approver, "")
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
	s, _, _ := startWeb(t, nil)
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

// TestEveryViewIsListed: a view is one file, and no list but its directory has it.
func TestEveryViewIsListed(t *testing.T) {
	s, _, _ := startWeb(t, nil)
	res, module := s.ask(t, "GET", "/static/views/index.js", "", "")
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
		t.Errorf("served as %q, which a browser does not run", got)
	}
	names, err := fs.Glob(static(), "views/*.js")
	if err != nil || len(names) < 9 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if !strings.Contains(module, `"./`+path.Base(name)+`"`) {
			t.Errorf("%s is not in the module:\n%s", name, module)
		}
		text, err := fs.ReadFile(static(), name)
		if err != nil || !bytes.Contains(text, []byte("export const pages = ")) {
			t.Errorf("%s exports no pages, %v", name, err)
		}
	}
}

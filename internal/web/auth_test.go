package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhoMayDoWhat(t *testing.T) {
	viewer, admin := NewToken(), NewToken()
	users := &Users{List: []User{
		{Name: "vera", Role: Viewer, Token: HashToken(viewer)},
		{Name: "ada", Role: Admin, Token: HashToken(admin)},
		{Name: "oidc", Role: Admin, Email: "o@example"},
	}}
	current := func() *Users { return users }
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := newAuth(current, false, func() time.Time { return now })
	h := protect(a.require(Approver, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(UserOf(r.Context()).Name))
	})))
	good, gone := a.seal(users.List[1]), a.seal(User{Name: "dismissed"})
	changed := users.List[1]
	changed.Groups = []string{"soc"}
	before, out := a.seal(changed), a.seal(users.List[1])
	leaving := httptest.NewRequest("POST", "/logout", nil)
	leaving.AddCookie(out)
	a.logout(leaving)
	forged := &http.Cookie{Name: sessionCookie, Value: good.Value[:len(good.Value)-2] + "xx"}
	old := newAuth(current, false, func() time.Time { return now.Add(-13 * time.Hour) })
	old.key = a.key
	for name, tc := range map[string]struct {
		token  string
		cookie *http.Cookie
		header [2]string
		method string
		want   int
	}{
		"nobody":                   {want: 401},
		"wrong token":              {token: "edrp_wrong", want: 401},
		"empty token":              {token: " ", want: 401},
		"role too low":             {token: viewer, want: 403},
		"admin":                    {token: admin, want: 200},
		"logged in":                {cookie: good, want: 200},
		"forged cookie":            {cookie: forged, want: 401},
		"expired login":            {cookie: old.seal(users.List[1]), want: 401},
		"user taken off":           {cookie: gone, want: 401},
		"user changed since":       {cookie: before, want: 401},
		"logged out":               {cookie: out, want: 401},
		"browser is sent to login": {header: [2]string{"Accept", "text/html"}, want: 303},
		"post from another site":   {cookie: good, method: "POST", header: [2]string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		"post of unknown origin":   {cookie: good, method: "POST", header: [2]string{"Origin", "null"}, want: 403},
		"post from our own page":   {cookie: good, method: "POST", header: [2]string{"Sec-Fetch-Site", "same-origin"}, want: 200},
	} {
		t.Run(name, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = "GET"
			}
			r := httptest.NewRequest(method, "http://edrpipe.test/api/v1/stop", nil)
			if tc.token != "" {
				r.Header.Set("Authorization", "Bearer "+tc.token)
			}
			if tc.cookie != nil {
				r.AddCookie(tc.cookie)
			}
			if tc.header[0] != "" {
				r.Header.Set(tc.header[0], tc.header[1])
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("status = %d, want %d: %s", w.Code, tc.want, w.Body)
			}
			var told struct{ Error string }
			if tc.want >= 400 && (json.Unmarshal(w.Body.Bytes(), &told) != nil || told.Error == "") {
				t.Errorf("the error is not in the form that all have: %s", w.Body)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
				t.Errorf("no strict policy: %q", csp)
			}
		})
	}
}

func TestFirstStartMakesOneAdmin(t *testing.T) {
	dir := t.TempDir()
	if _, err := FirstUsers(dir, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := FirstUsers(dir, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	u, ok := again.Current().ByToken(string(token))
	if !ok || u.Role != Admin {
		t.Errorf("the token in admin.token is of %+v, %v", u, ok)
	}
	file, err := os.ReadFile(filepath.Join(dir, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(file), strings.TrimSpace(string(token))) {
		t.Error("the users file holds the token itself")
	}
	for _, name := range []string{"admin.token", "users.yaml"} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, fi.Mode(), err)
		}
	}
}

func TestAChangedUsersFileIsSeen(t *testing.T) {
	dir := t.TempDir()
	f, err := FirstUsers(dir, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "users.yaml")
	change := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Add(time.Hour)
	change("users:\n  - { name: vera, role: viewer, token_hash: x }\n", at)
	if got := f.Current().List; len(got) != 1 || got[0].Name != "vera" {
		t.Errorf("users after a change: %+v", got)
	}
	change("users:\n  - { nmae: broken }\n", at.Add(time.Hour))
	if got := f.Current().List; len(got) != 1 || got[0].Name != "vera" {
		t.Errorf("users after a broken change: %+v, want those from before", got)
	}
}

// TestStrangersAreToldApart: who shows nothing, a token that is not known, or a login that
// has ended each has another thing to do.
func TestStrangersAreToldApart(t *testing.T) {
	t.Parallel()
	for want, set := range map[string]func(*http.Request){
		"Send Authorization":     func(*http.Request) {},
		"the token is not known": func(r *http.Request) { r.Header.Set("Authorization", "Bearer edrp_wrong") },
		"the login has ended":    func(r *http.Request) { r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "old"}) },
	} {
		r := httptest.NewRequest(http.MethodGet, "/api/v1/jobs", http.NoBody)
		set(r)
		if got := stranger(r); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

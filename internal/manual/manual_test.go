package manual_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"edrpipe"
	"edrpipe/internal/manual"
)

// seen is what a page has: names that links can lead to, and where its own lead.
type seen struct {
	ids   map[string]bool
	links []string
}

func get(t *testing.T, m *manual.Manual, address string) (*httptest.ResponseRecorder, seen) {
	t.Helper()
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody))
	s := seen{ids: map[string]bool{}}
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		return w, s
	}
	root, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			switch a.Key {
			case "id":
				if s.ids[a.Val] {
					t.Errorf("%s has two places with the name %s", address, a.Val)
				}
				s.ids[a.Val] = true
			case "href", "src", "action":
				s.links = append(s.links, a.Val)
			case "style":
				t.Errorf("%s has a style that its policy forbids: %s", address, a.Val)
			}
		}
	}
	return w, s
}

// TestEveryLinkOfEveryPage leads to a page of the manual that has the place it names,
// and every page can be reached from the first.
func TestEveryLinkOfEveryPage(t *testing.T) {
	t.Parallel()
	m, err := manual.New(edrpipe.Documents, []byte("body {}"))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]seen{}
	todo := []string{"/README.md"}
	visit := func(from, address string) seen {
		s, ok := pages[address]
		if ok {
			return s
		}
		w, s := get(t, m, address)
		if w.Code != http.StatusOK {
			t.Errorf("%s: a link to %s: %d", from, address, w.Code)
		}
		pages[address] = s
		todo = append(todo, address)
		return s
	}
	visit("the beginning", "/README.md")
	links := 0
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		for _, l := range pages[at].links {
			base, _ := url.Parse(at)
			to, err := base.Parse(l)
			if err != nil {
				t.Errorf("%s: %v", at, err)
				continue
			}
			if to.Host != "" || to.Scheme == "mailto" || to.Path == "/search" {
				continue
			}
			links++
			if s := visit(at, to.Path); to.Fragment != "" && !s.ids[to.Fragment] {
				t.Errorf("%s: %s has no place called %q", at, to.Path, to.Fragment)
			}
		}
	}
	err = fs.WalkDir(edrpipe.Documents, ".", func(name string, _ fs.DirEntry, err error) error {
		if _, ok := pages["/"+name]; path.Ext(name) == ".md" && !ok {
			t.Errorf("no link leads to %s", name)
		}
		return err
	})
	if err != nil || links < 1000 {
		t.Errorf("%d links were followed, %v", links, err)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	m, err := manual.New(fstest.MapFS{
		"README.md":     {Data: []byte("# Begin `here`\n\n<script>alert(1)</script>\n\n| a |\n|--:|\n| 1 |\n\n## Set `x_y`: why?\n\n## Set x_y why\n")},
		"docs/one.md":   {Data: []byte("# One\n\n## Two words\n")},
		"docs/x.yaml":   {Data: []byte("a: <b>\n")},
		"docs/p.svg":    {Data: []byte("<svg/>")},
		"docs/r/two.md": {Data: []byte("# Two\n")},
	}, []byte("body {}"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]struct {
		code       int
		has, hasNo string
	}{
		"/":                        {http.StatusFound, "", "<h1"},
		"/README.md":               {http.StatusOK, `<td align="right">1`, "<script"},
		"/README.md?":              {http.StatusOK, `id="set-x_y-why-1"`, "alert"},
		"/docs/one.md":             {http.StatusOK, `<a href="/docs/one.md" aria-current="page">One</a>`, ">Two<"},
		"/docs/x.yaml":             {http.StatusOK, "a: &lt;b&gt;", "<b>"},
		"/docs/r":                  {http.StatusOK, `<a href="/docs/r/two.md">Two</a>`, "No title"},
		"/docs/p.svg":              {http.StatusOK, "<svg/>", "<html"},
		"/style.css":               {http.StatusOK, "body {}", "<html"},
		"/search?q=TWO+one":        {http.StatusOK, `<a href="/docs/one.md#two-words">One: Two words</a>`, "/docs/r/two.md#"},
		"/search?q=%3Cb%3Enothing": {http.StatusOK, "No title has these words", "<b>"},
		"/docs/none.md":            {http.StatusNotFound, "no such page", "<ul>\n</ul>"},
		"/../../etc/passwd":        {http.StatusNotFound, "no such page", "root:"},
	} {
		w, _ := get(t, m, address)
		if body := w.Body.String(); w.Code != want.code || !strings.Contains(body, want.has) || strings.Contains(body, want.hasNo) {
			t.Errorf("%s: %d, want %d with %q and without %q:\n%s", address, w.Code, want.code, want.has, want.hasNo, body)
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") {
			t.Errorf("%s: the policy is %q", address, p)
		}
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/README.md", http.NoBody))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("a post: %d", w.Code)
	}
}

package listsource

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/rules/list"
)

const good = "a.example\nb.example\nc.example\nd.example\n"

// server is a server of lists whose answer can be exchanged.
type server struct {
	*httptest.Server
	answer  atomic.Pointer[http.HandlerFunc]
	changes atomic.Int64 // of the source's values
}

func (s *server) answers(h http.HandlerFunc) { s.answer.Store(&h) }

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.answers(text(good))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.answer.Load())(w, r) }))
	t.Cleanup(s.Close)
	return s
}

// config is that of a source of domains, kept in dir.
func (s *server) config(t *testing.T, dir string) Config {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return Config{
		Name: "bad", URL: s.URL + "/list.txt", Format: Text, Every: time.Hour, MaxBytes: 1 << 10, Shrink: 0.5, Dir: dir, Client: &http.Client{Transport: transport},
		Kind: func() (list.Kind, bool) { return list.Domain, true }, Changed: func() { s.changes.Add(1) }, Now: time.Now, Log: zerolog.Nop(),
	}
}

// open opens a source whose list takes every value.
func open(c Config) *Source {
	var s *Source
	c.Taken = func() []string { return s.Values() }
	s = Open(c)
	return s
}

func words(text string) []string { return strings.Fields(text) }

// TestTheLastGoodListStays, whatever the server answers, also over a restart; and the
// next sound answer is taken.
func TestTheLastGoodListStays(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	t.Cleanup(func() { close(wait) }) // before the server closes, which waits for its handlers
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		change func(*Config)
		want   error
	}{
		"time-out": {func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-wait:
			case <-r.Context().Done():
			}
		}, func(c *Config) { c.Timeout = 50 * time.Millisecond }, ErrUnreachable},
		"500":                       {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, good, http.StatusInternalServerError) }, nil, ErrUnreachable},
		"304 that nobody asked for": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, nil, ErrUnreachable},
		"truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good + "e.example\n"))
		}, nil, ErrUnreachable},
		"flood":            {text(strings.Repeat("x.example\n", 1000)), nil, ErrTooLarge},
		"compressed flood": {compressed(strings.Repeat("x.example\n", 1000)), nil, ErrTooLarge},
		"shrunk":           {text("a.example\n"), nil, ErrShrunk},
		"replaced":         {text("e.example\nf.example\ng.example\nh.example\ni.example\n"), nil, ErrShrunk},
		"mostly replaced":  {text("a.example\nf.example\ng.example\nh.example\ni.example\n"), nil, ErrShrunk},
		"too many":         {text(good + "e.example\n"), func(c *Config) { c.MaxEntries = 4 }, ErrTooMany},
		"empty":            {text("# nothing\n"), nil, ErrEmpty},
		"web page": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			text(good+"e.example\n")(w, r)
		}, nil, ErrFormat},
		"other values": {text(good + "https://x.example/a\n"), nil, ErrFormat},
		"not text":     {text("a\x00b\xff"), nil, ErrFormat},
		"wrong digest": {text(good + "e.example\n"), func(c *Config) { c.ChecksumURL = c.URL + "?sum" }, ErrDigest},
		"redirects":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, nil, ErrUnreachable},
		"without TLS": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://lists.example/x", http.StatusFound)
		}, nil, ErrUnreachable},
		"no list": {text(good), func(c *Config) { c.Kind = func() (list.Kind, bool) { return "", false } }, ErrNoList},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			c := s.config(t, t.TempDir())
			if err := open(c).refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(&c)
			}
			s.answers(tt.answer)
			source := open(c)
			if err := source.refresh(t.Context()); !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if got := source.Values(); !slices.Equal(got, words(good)) {
				t.Errorf("in force: %v", got)
			}
			if st := source.State(); !st.Failing || st.Since.IsZero() || st.Cure != cureOf(tt.want) || !strings.Contains(st.Evidence, "4 entries") || !strings.Contains(st.Evidence, tt.want.Error()) {
				t.Errorf("state: %+v", st)
			}
			if got := open(c).Values(); !slices.Equal(got, words(good)) || s.changes.Load() != 1 {
				t.Errorf("after a restart: %v, %d changes", got, s.changes.Load())
			}
		})
	}
}

func compressed(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(body))
		_ = z.Close()
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(b.Bytes())
	}
}

// TestRedirects are followed a few times, and never out of TLS.
func TestRedirects(t *testing.T) {
	t.Parallel()
	via := func(n int) []*http.Request {
		return slices.Repeat([]*http.Request{httptest.NewRequest(http.MethodGet, "https://lists.example/x", nil)}, n)
	}
	for address, refused := range map[string]bool{
		"https://lists.example/x": false, "http://127.0.0.1:1/x": false, "http://localhost/x": false,
		"http://lists.example/x": true, "http://localhost.example/x": true, "ftp://127.0.0.1/x": true,
	} {
		if err := follow(httptest.NewRequest(http.MethodGet, address, nil), via(maxRedirects)); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := follow(httptest.NewRequest(http.MethodGet, "https://lists.example/x", nil), via(maxRedirects+1)); err == nil {
		t.Error("redirects have no end")
	}
}

// TestDigest: the published one of the file is found, and the token goes to the server
// of the list only.
func TestDigest(t *testing.T) {
	t.Parallel()
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(good)))
	other := strings.Repeat("0", 64)
	for published, right := range map[string]bool{
		sum: true, strings.ToUpper(sum) + "\n": true, sum + "  list.txt\n": true, other + "  a.txt\n" + sum + " *dir/list.txt\n": true,
		"": false, other: false, sum + "  a.txt\n" + other + "  list.txt\n": false, sum[:63]: false,
	} {
		s, sums := serve(t), serve(t)
		var tokens [2]string
		s.answers(func(w http.ResponseWriter, r *http.Request) {
			tokens[0] = r.Header.Get("Authorization")
			text(good)(w, r)
		})
		sums.answers(func(w http.ResponseWriter, r *http.Request) {
			tokens[1] = r.Header.Get("Authorization")
			text(published)(w, r)
		})
		c := s.config(t, t.TempDir())
		c.ChecksumURL, c.Token = sums.URL, func() (string, error) { return "secret", nil }
		if err := open(c).refresh(t.Context()); (err == nil) != right || err != nil && !errors.Is(err, ErrDigest) {
			t.Errorf("%q: %v, want right %v", published, err, right)
		}
		if tokens != [2]string{"Bearer secret", ""} {
			t.Errorf("tokens: %q", tokens)
		}
	}
}

// TestCSV: a column by its name or number; a few values of another kind are left out and told.
func TestCSV(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	for i := range 10 {
		fmt.Fprintf(&table, "%d,h%d.example\n", i, i)
	}
	for column, head := range map[string]string{"host": "id,host\n", "2": "# no names\n"} {
		s := serve(t)
		s.answers(text(head + table.String() + "11,http://x.example/\n"))
		c := s.config(t, t.TempDir())
		c.Format, c.Column = CSV, column
		source := open(c)
		if err := source.refresh(t.Context()); err != nil || len(source.Values()) != 10 {
			t.Errorf("column %s: %v, %v", column, source.Values(), err)
		}
		if st := source.State(); st.Failing || !strings.Contains(st.Evidence, "1 left out (line 12: this is a URL") {
			t.Errorf("column %s: %+v", column, st)
		}
		for _, bad := range []string{"id,name\n1,a.example\n2,b.example\n", head + "1,\"a.example\n"} {
			s.answers(text(bad))
			if err := source.refresh(t.Context()); column == "host" && !errors.Is(err, ErrFormat) || err == nil {
				t.Errorf("column %s of %q: %v", column, bad, err)
			}
		}
	}
}

// TestKeptFile: one that is damaged or of another address is fetched anew, and one that
// cannot be written leaves the list in force.
func TestKeptFile(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := s.config(t, t.TempDir())
	file := filepath.Join(c.Dir, "bad.json")
	if err := os.WriteFile(file, []byte(`{"entries":[{"val`), 0o600); err != nil {
		t.Fatal(err)
	}
	source := open(c)
	if got := source.Values(); got != nil {
		t.Errorf("of a damaged file: %v", got)
	}
	if err := source.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.Dir, ".part-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	c.URL += "?other"
	if got := open(c).Values(); got != nil {
		t.Errorf("of another address: %v", got)
	}
	c.Dir = filepath.Join(file, "below-a-file")
	source = open(c)
	if err := source.refresh(t.Context()); !errors.Is(err, ErrKeep) || len(source.Values()) != 4 {
		t.Errorf("where nothing can be written: %v, %v", err, source.Values())
	}
}

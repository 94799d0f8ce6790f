package listsource

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edrpipe/rules/list"
)

// TestTokenStays with the server that it is for, wherever that sends the request on.
func TestTokenStays(t *testing.T) {
	t.Parallel()
	s, other := serve(t), serve(t)
	tokens := map[string]string{}
	note := func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			tokens[name+r.URL.Path] = r.Header.Get("Authorization")
			if r.URL.Path == "/list.txt" {
				http.Redirect(w, r, "/moved", http.StatusFound)
				return
			}
			if r.URL.Path == "/moved" && name == "own" {
				http.Redirect(w, r, other.URL+"/moved", http.StatusFound)
				return
			}
			text(good)(w, r)
		}
	}
	s.answers(note("own"))
	other.answers(note("other"))
	c := s.config(t, t.TempDir())
	c.Token = func() (string, error) { return "secret", nil }
	if err := open(c).refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"own/list.txt": "Bearer secret", "own/moved": "Bearer secret", "other/moved": ""}
	if fmt.Sprint(tokens) != fmt.Sprint(want) {
		t.Errorf("tokens: %q", tokens)
	}
	for address, sent := range map[string]bool{
		"https://lists.example/y": true, "https://LISTS.example:443/y": true, "https://lists.example:8443/y": false, "https://a.lists.example/y": false,
		"https://other.example/y": false,
	} {
		req := httptest.NewRequest(http.MethodGet, address, nil)
		req.Header.Set("Authorization", "Bearer secret")
		first := httptest.NewRequest(http.MethodGet, "https://lists.example/x", nil)
		if err := follow(req, []*http.Request{first}); err != nil || (req.Header.Get("Authorization") != "") != sent {
			t.Errorf("%s: sent %q, %v", address, req.Header.Get("Authorization"), err)
		}
	}
}

// TestConditionsThatAServerRefuses are left out once, and long ones are not kept.
func TestConditionsThatAServerRefuses(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var asked []string
	etag, refusal := `"1"`, http.StatusRequestHeaderFieldsTooLarge
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match"))
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(refusal)
			return
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Last-Modified", etag)
		text(good)(w, r)
	})
	c := s.config(t, t.TempDir())
	source := open(c)
	for range 2 {
		if err := source.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refusal = http.StatusTooManyRequests
	if err := source.refresh(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a server that is asked too often: %v", err)
	}
	if want := []string{"", `"1"`, "", `"1"`}; !slices.Equal(asked, want) {
		t.Errorf("asked with %q, want %q", asked, want)
	}
	etag, refusal, asked = strings.Repeat("x", maxCondition+1), http.StatusBadRequest, nil
	for range 2 {
		if err := source.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{`"1"`, "", ""}; !slices.Equal(asked, want) || source.have.Modified != "" {
		t.Errorf("asked with %q, want %q; date %.10q", asked, want, source.have.Modified)
	}
}

// TestPages are known by their type, however it is written.
func TestPages(t *testing.T) {
	t.Parallel()
	for kind, page := range map[string]bool{
		"text/html": true, "Text/HTML; charset=utf-8": true, "text/html ;x": true, "application/xhtml+xml": true, "Application/XHTML+XML;a": true,
		"text/plain": false, "": false, "text/html-like": false,
	} {
		if isPage(kind) != page {
			t.Errorf("%q: a page %v", kind, !page)
		}
	}
}

// TestConditionalRequests: what has not changed is confirmed, and not sent again; after
// a restart too, and not where the list has got another type.
func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var asked []string
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match")+" "+r.Header.Get("If-Modified-Since"))
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Last-Modified", "Tue, 01 Dec 2026 00:00:00 GMT")
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(good))
	})
	dir := t.TempDir()
	c := s.config(t, dir)
	now := time.Now()
	c.Now = func() time.Time { return now }
	for range 3 {
		now = now.Add(time.Hour)
		source := open(c)
		if err := source.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := source.Values(); !slices.Equal(got, words(good)) {
			t.Errorf("in force: %v", got)
		}
		if k, _ := readKept(filepath.Join(dir, "bad.json"), source.origin(), 10); !k.Confirmed.Equal(now) {
			t.Errorf("confirmed %s, want %s", k.Confirmed, now)
		}
	}
	c.Kind = func() (list.Kind, bool) { return list.Text, true }
	if err := open(c).refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := `"1" Tue, 01 Dec 2026 00:00:00 GMT`
	if want := []string{" ", again, again, " "}; !slices.Equal(asked, want) {
		t.Errorf("asked with %q, want %q", asked, want)
	}
	if s.changes.Load() != 2 {
		t.Errorf("%d changes, want 2", s.changes.Load())
	}
}

// Package manual shows the documentation in a browser. Pages are at the names that their
// files have in the repository, so that the links between them hold in both places.
package manual

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed page.html
var frame string

var frameTemplate = template.Must(template.New("page").Parse(frame))

// Manual is a set of pages.
type Manual struct {
	files fs.FS
	style []byte
	pages map[string]page // by file name
	list  []link
}

// page is a Markdown file.
type page struct {
	title    string
	headings []heading
	body     template.HTML
}

// heading is a part of a page that can be linked to.
type heading struct {
	id, text string
}

// link is a place that is shown as text.
type link struct {
	Title, Address string
	Current        bool
}

// shown is what a page is made of.
type shown struct {
	Title, Query string
	Body         template.HTML
	Text         string // of a file that is no Markdown
	Links        []link // of a directory or a search
	Searched     bool
	Pages        []link
}

// New reads all Markdown files of files. The style is the style sheet of the pages.
func New(files fs.FS, style []byte) (*Manual, error) {
	m := &Manual{files: files, style: style, pages: map[string]page{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		p, err := render(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.pages[name] = p
		if path.Dir(name) == "." || path.Dir(name) == "docs" {
			m.list = append(m.list, link{Title: p.title, Address: "/" + name})
		}
		return nil
	})
	return m, err
}

// ServeHTTP answers with a page, a file as text, the files of a directory, a picture,
// the style sheet, or what a search found.
func (m *Manual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "this can only be read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.Trim(path.Clean(r.URL.Path), "/")
	switch {
	case name == "":
		http.Redirect(w, r, "/README.md", http.StatusFound)
	case name == "style.css":
		h.Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(m.style) // the browser has gone
	case name == "search":
		m.show(w, r, http.StatusOK, m.search(r.URL.Query().Get("q")))
	default:
		m.file(w, r, name)
	}
}

func (m *Manual) file(w http.ResponseWriter, r *http.Request, name string) {
	if p, ok := m.pages[name]; ok {
		m.show(w, r, http.StatusOK, shown{Title: p.title, Body: p.body})
		return
	}
	if e := path.Ext(name); e == ".png" || e == ".svg" {
		http.ServeFileFS(w, r, m.files, name)
		return
	}
	if entries, err := fs.ReadDir(m.files, name); err == nil {
		s := shown{Title: name}
		for _, e := range entries {
			at := path.Join(name, e.Name())
			title := e.Name()
			if p, ok := m.pages[at]; ok {
				title = p.title
			}
			s.Links = append(s.Links, link{Title: title, Address: "/" + at})
		}
		m.show(w, r, http.StatusOK, s)
		return
	}
	text, err := fs.ReadFile(m.files, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		m.show(w, r, http.StatusNotFound, shown{Title: "There is no such page", Text: name})
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	m.show(w, r, http.StatusOK, shown{Title: name, Text: string(text)})
}

func (m *Manual) show(w http.ResponseWriter, r *http.Request, status int, s shown) {
	for _, l := range m.list {
		l.Current = l.Address == r.URL.Path
		s.Pages = append(s.Pages, l)
	}
	var out bytes.Buffer
	if err := frameTemplate.Execute(&out, s); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the browser has gone
}

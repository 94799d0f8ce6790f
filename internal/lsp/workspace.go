package lsp

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"

	"edrpipe/rules"
)

// workspace is the files below a directory, and those that are open with the texts
// that the editor has.
type workspace struct {
	root     string
	open     map[string]*text
	outlines map[string]*outline       // of every file
	byID     map[string]map[string]int // of each rule: the files that define it, with the line from 1
	bench    *rules.Workbench
}

func newWorkspace(root string) *workspace {
	w := &workspace{root: root, open: map[string]*text{}}
	w.scan()
	return w
}

// scan reads the outline of every file anew, and the lists.
func (w *workspace) scan() {
	w.outlines, w.byID = map[string]*outline{}, map[string]map[string]int{}
	var files []string
	if w.root != "" {
		files, _ = rules.Paths(true, w.root) // without rules there is nothing to know of
	}
	var dirs []string
	for _, file := range files {
		w.read(file)
	}
	for file, t := range w.open {
		w.define(file, outlineOf(t))
	}
	for file := range w.outlines {
		dirs = append(dirs, filepath.Dir(file))
	}
	w.bench = rules.NewWorkbench(dirs...)
}

// read reads the outline of a file that is not open.
func (w *workspace) read(file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		w.define(file, &outline{})
		delete(w.outlines, file)
		return
	}
	w.define(file, outlineOf(newText(string(data))))
}

// define replaces what a file defines.
func (w *workspace) define(file string, o *outline) {
	if old := w.outlines[file]; old != nil && !isTestFile(file) {
		for _, r := range old.rules {
			delete(w.byID[r.id.word], file)
		}
	}
	w.outlines[file] = o
	if isTestFile(file) {
		return
	}
	for _, r := range o.rules {
		if id := r.id.word; id != "" {
			if w.byID[id] == nil {
				w.byID[id] = map[string]int{}
			}
			w.byID[id][file] = r.first + 1
		}
	}
}

// set gives an open file its text.
func (w *workspace) set(file string, t *text) {
	_, known := w.outlines[file]
	w.open[file] = t
	w.define(file, outlineOf(t))
	if !known {
		w.scan() // its directory may have lists
	}
}

func (w *workspace) close(file string) {
	delete(w.open, file)
	w.read(file)
}

// text is the text of a file, open or not.
func (w *workspace) text(file string) *text {
	if t := w.open[file]; t != nil {
		return t
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return newText("")
	}
	return newText(string(data))
}

// others are the rules in other files than one.
type others struct {
	*workspace
	file string
}

// Place implements rules.OtherRules.
func (o others) Place(id string) string {
	for file, line := range o.byID[id] {
		if file != o.file {
			return fmt.Sprintf("%s:%d", o.shown(file), line)
		}
	}
	return ""
}

// IDs implements rules.OtherRules.
func (o others) IDs() []string {
	var ids []string
	for id, files := range o.byID {
		if _, own := files[o.file]; len(files) > 1 || len(files) == 1 && !own {
			ids = append(ids, id)
		}
	}
	return ids
}

// shown is a file's name relative to the workspace.
func (w *workspace) shown(file string) string {
	if name, err := filepath.Rel(w.root, file); err == nil && !strings.HasPrefix(name, "..") {
		return name
	}
	return file
}

func isTestFile(file string) bool {
	return strings.HasSuffix(strings.TrimSuffix(file, filepath.Ext(file)), "_test")
}

// ruleIDs lists the rules of all files.
func (w *workspace) ruleIDs() []string {
	return slices.Sorted(slices.Values(others{w, ""}.IDs()))
}

// findRule is the file and the place of the id of a rule.
func (w *workspace) findRule(id string) (string, place, bool) {
	for _, file := range slices.Sorted(maps.Keys(w.outlines)) {
		if isTestFile(file) {
			continue
		}
		for _, r := range w.outlines[file].rules {
			if r.id.word == id && id != "" {
				return file, r.id, true
			}
		}
	}
	return "", place{}, false
}

// fileOf is the file that an address names; "" where it names none.
func fileOf(u protocol.DocumentURI) (file string) {
	defer func() {
		if recover() != nil { // uri panics on addresses of other kinds
			file = ""
		}
	}()
	return uri.New(string(u)).Filename()
}

func location(file string, t *text, p place) protocol.Location {
	return protocol.Location{URI: uri.File(file), Range: t.span(p.line, p.from, p.to)}
}

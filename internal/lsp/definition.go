package lsp

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// symbol is something that has one definition and several uses.
type symbol struct {
	kind string // step, var, rule, list
	name string
	file string // with the rule, of a step or a variable
	rule *ruleBlock
}

// symbolAt is the symbol at a position, or false.
func (s *server) symbolAt(file string, p protocol.Position) (symbol, bool) {
	t, o := s.work.text(file), s.outline(file)
	line, offset := int(p.Line), t.offset(p)
	r := o.at(line)
	if r == nil {
		return symbol{}, false
	}
	in := func(p place) bool { return p.word != "" && p.line == line && offset >= p.from && offset <= p.to }
	test := isTestFile(file)
	switch {
	case in(r.id) && !test:
		return symbol{"rule", r.id.word, file, r}, true
	case slices.ContainsFunc(r.names, in):
		return symbol{"rule", r.names[slices.IndexFunc(r.names, in)].word, file, r}, true
	}
	for _, st := range r.steps {
		if in(st.id) {
			return symbol{"step", st.id.word, file, r}, true
		}
	}
	for _, v := range r.vars {
		if in(v) {
			return symbol{"var", v.word, file, r}, true
		}
	}
	return s.usedAt(t.line(line), offset, file, r)
}

var listName = regexp.MustCompile("in_list\\([^()]*,\\s*[\"`]([\\w-]+)[\"`]")

// usedAt is the symbol that an expression uses.
func (s *server) usedAt(line string, offset int, file string, r *ruleBlock) (symbol, bool) {
	for _, m := range listName.FindAllStringSubmatchIndex(line, -1) {
		if offset >= m[2] && offset <= m[3] {
			return symbol{"list", line[m[2]:m[3]], file, r}, true
		}
	}
	word, _, _ := wordAt(line, offset)
	names := strings.Split(word, ".")
	if len(names) < 2 {
		return symbol{}, false
	}
	switch names[0] {
	case "steps":
		return symbol{"step", names[1], file, r}, true
	case "vars":
		return symbol{"var", names[1], file, r}, true
	}
	return symbol{}, false
}

// definition is where a symbol is defined.
func (s *server) definition(y symbol) (protocol.Location, bool) {
	t := s.work.text(y.file)
	switch y.kind {
	case "rule":
		if file, p, ok := s.work.findRule(y.name); ok {
			return location(file, s.work.text(file), p), true
		}
	case "step":
		if step, ok := y.rule.step(y.name); ok {
			if step.id.word == "" {
				return protocol.Location{URI: uri.File(y.file), Range: t.span(step.line, 0, 0)}, true
			}
			return location(y.file, t, step.id), true
		}
	case "var":
		for _, v := range y.rule.vars {
			if v.word == y.name {
				return location(y.file, t, v), true
			}
		}
	case "list":
		if file := s.work.bench.ListFile(y.name); file != "" {
			return protocol.Location{URI: uri.File(file)}, true
		}
	}
	return protocol.Location{}, false
}

// references are the places of a symbol, its definition included.
func (s *server) references(y symbol) []protocol.Location {
	found := []protocol.Location{}
	switch y.kind {
	case "rule":
		for _, file := range slices.Sorted(maps.Keys(s.work.outlines)) {
			found = append(found, s.ruleUses(file, y.name)...)
		}
	case "step", "var":
		t := s.work.text(y.file)
		found = append(found, uses(t, y)...)
	case "list":
		for _, file := range slices.Sorted(maps.Keys(s.work.outlines)) {
			t := s.work.text(file)
			for n, l := range t.lines {
				for _, m := range listName.FindAllStringSubmatchIndex(l, -1) {
					if l[m[2]:m[3]] == y.name {
						found = append(found, location(file, t, place{y.name, n, m[2], m[3]}))
					}
				}
			}
		}
	}
	return found
}

func (s *server) ruleUses(file, id string) []protocol.Location {
	var found []protocol.Location
	var t *text
	add := func(p place) {
		if p.word != id {
			return
		}
		if t == nil {
			t = s.work.text(file)
		}
		found = append(found, location(file, t, p))
	}
	for _, r := range s.work.outlines[file].rules {
		if !isTestFile(file) {
			add(r.id)
		}
		for _, p := range r.names {
			add(p)
		}
	}
	return found
}

// uses finds a step or a variable in its rule: where it is defined, in expressions,
// and, of a step, among the mocks and expectations of tests.
func uses(t *text, y symbol) []protocol.Location {
	name := regexp.QuoteMeta(y.name)
	forms := []*regexp.Regexp{regexp.MustCompile(`\bvars\.(` + name + `)\b`)}
	if y.kind == "step" {
		forms = []*regexp.Regexp{
			regexp.MustCompile(`\bsteps\.(` + name + `)\b`),
			regexp.MustCompile(`\b(?:run|not|held):\s+["']?(` + name + `)["']?(?:[\s,}\]]|$)`),
			regexp.MustCompile(`\bmocks:\s*\{(?:.*[{,])?\s*(` + name + `):`),
			regexp.MustCompile(`^\s+(` + name + `):\s+\{ (?:output|error|deny)`),
		}
	}
	var found []protocol.Location
	add := func(p place) { found = append(found, location(y.file, t, p)) }
	for _, st := range y.rule.steps {
		if y.kind == "step" && st.id.word == y.name {
			add(st.id)
		}
	}
	for _, v := range y.rule.vars {
		if y.kind == "var" && v.word == y.name {
			add(v)
		}
	}
	for n := y.rule.first; n <= y.rule.last && n < len(t.lines); n++ {
		for _, form := range forms {
			for _, m := range form.FindAllStringSubmatchIndex(t.lines[n], -1) {
				add(place{y.name, n, m[2], m[3]})
			}
		}
	}
	return found
}

// newName is what rules and steps may be called.
var newName = map[string]*regexp.Regexp{
	"rule": regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`),
	"step": regexp.MustCompile(`^[A-Za-z_]\w*$`),
	"var":  regexp.MustCompile(`^[A-Za-z_]\w*$`),
}

// rename changes the name of a symbol wherever it stands; nil where it cannot.
func (s *server) rename(y symbol, to string) *protocol.WorkspaceEdit {
	form := newName[y.kind]
	if form == nil || !form.MatchString(to) {
		return nil
	}
	edits := map[protocol.DocumentURI][]protocol.TextEdit{}
	for _, l := range s.references(y) {
		edits[l.URI] = append(edits[l.URI], protocol.TextEdit{Range: l.Range, NewText: to})
	}
	return &protocol.WorkspaceEdit{Changes: edits}
}

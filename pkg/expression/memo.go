package expression

import (
	"slices"
	"sync"

	"github.com/expr-lang/expr/ast"
)

// maxRemembered bounds a Memo, in programs: some ten megabytes.
const maxRemembered = 4096

// Memo remembers programs, for scopes that are to share them; see
// Scope.Remembering. The steps of ten thousand rules have a few dozen different
// templates: with a Memo each is compiled once. A program serves another scope
// when every name in it has the same type there. The zero value is empty; a Memo
// is safe for concurrent use.
type Memo struct {
	mu       sync.Mutex
	programs map[memoKey][]remembered
	count    int
}

type memoKey struct {
	source    string
	condition bool
}

// remembered is a program that fits where its names have these types.
type remembered struct {
	*Program
	names []Field // all that are in the source; Type nil: the scope does not have it
}

// recall finds a program that compiling the source in the scope would give; nil
// when there is none.
func (m *Memo) recall(s *Scope, source string, want *Type) *Program {
	if m == nil || !memorable(s, want) {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.programs[memoKey{source, want != nil}] {
		if !slices.ContainsFunc(r.names, func(f Field) bool {
			return !same(s.named(f.Name), f.Type) || s.carrier != nil && f.Name == "event" // its words differ
		}) {
			return r.Program
		}
	}
	return nil
}

// memorable leaves out conditions of rules, which hardly ever repeat, and what is
// wanted of some other type, which need not have that type elsewhere.
func memorable(s *Scope, want *Type) bool {
	return !s.onEvent() && (want == nil || want == BoolType)
}

// names lists what the program of a checked tree depends on. None: it depends on
// more than that, and is not remembered.
func (m *Memo) names(s *Scope, root ast.Node) []Field {
	if m == nil {
		return nil
	}
	var names []Field
	depends := false
	each(root, func(n ast.Node) {
		id, ok := n.(*ast.IdentifierNode)
		if !ok || slices.ContainsFunc(names, func(f Field) bool { return f.Name == id.Value }) {
			return
		}
		f, _ := FunctionNamed(id.Value)
		depends = depends || f.bind != nil                           // on the scope's lists
		depends = depends || s.carrier != nil && id.Value == "event" // on its types
		names = append(names, Field{Name: id.Value, Type: s.named(id.Value)})
	})
	if depends {
		return nil
	}
	return names
}

// keep remembers a program. A full Memo is cleared.
func (m *Memo) keep(p *Program, want *Type, names []Field) {
	if m == nil || len(names) == 0 || !memorable(p.scope, want) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == maxRemembered || m.programs == nil {
		m.programs, m.count = map[memoKey][]remembered{}, 0
	}
	key := memoKey{p.Source, want != nil}
	m.programs[key] = append(m.programs[key], remembered{p, names})
	m.count++
}

// same reports whether two types are, but for what documents them.
func same(a, b *Type) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.Kind != b.Kind || a.native != b.native || a.form != b.form || a.Form != b.Form || !slices.Equal(a.Words, b.Words) {
		return false
	}
	return same(a.Elem, b.Elem) && slices.EqualFunc(a.Fields, b.Fields, func(f, g Field) bool {
		return f.Name == g.Name && same(f.Type, g.Type)
	})
}

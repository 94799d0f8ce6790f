package expression

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// Carrier knows which fields the events have that expressions of a scope run on.
type Carrier interface {
	// Lacks reports whether none of the events carries a field, or a part of the
	// event, by its path; the message says so and the hint what to do.
	Lacks(path string) (message, hint string, lacks bool)
	// Words are all the values that a field of text has in the events; nil: any.
	Words(path string) []string
}

// On is the scope for the events that the carrier knows: reading what none of them
// carries is a mistake there.
func (s *Scope) On(c Carrier) *Scope {
	n := *s
	n.carrier = c
	return &n
}

// FieldRead is a field of the event that an expression reads, and where.
type FieldRead struct {
	Path   string // process.parent.name; a part, such as process, where it is read whole
	Offset int    // in the source, in characters from 0
	Length int
	Aware  bool // the expression copes with events that do not carry the field
}

// Fields lists the fields of the event that the program reads, as written.
func (p *Program) Fields() []FieldRead { return p.fields }

// lacking reports the fields that none of the scope's events carries.
func (s *Scope) lacking(fields []FieldRead) Errors {
	if s.carrier == nil {
		return nil
	}
	var found Errors
	for _, f := range fields {
		if message, hint, lacks := s.carrier.Lacks(f.Path); lacks {
			found = append(found, &Error{f.Offset, f.Length, message, hint})
		}
	}
	return found
}

// fieldsOf lists the fields of the event that a tree reads. The tree must be as the
// parser made it.
func (s *Scope) fieldsOf(root ast.Node) []FieldRead {
	c := &fieldCollector{scope: s, bound: boundNames(root)}
	c.walk(root, false)
	for i, f := range c.found {
		c.found[i].Aware = f.Aware || slices.Contains(c.known, f.Path)
	}
	return c.found
}

type fieldCollector struct {
	scope *Scope
	bound map[string]bool
	found []FieldRead
	known []string // fields that the expression compares with nothing or gives to has
}

// walk collects below a node. Optional means that the node's value does not decide
// alone: it stands in an alternative.
func (c *fieldCollector) walk(n ast.Node, optional bool) {
	if f, ok := c.field(n); ok {
		f.Aware = optional
		c.found = append(c.found, f)
		return
	}
	switch n := n.(type) {
	case *ast.BinaryNode:
		optional = optional || n.Operator == "or" || n.Operator == "||" || n.Operator == "??"
		c.compared(n)
	case *ast.ConditionalNode:
		optional = true
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "has" {
			for _, arg := range n.Arguments {
				if f, ok := c.field(arg); ok {
					c.known = append(c.known, f.Path)
				}
			}
		}
	}
	eachChild(n, func(kid ast.Node) { c.walk(kid, optional) })
}

// compared notes a field that is compared with the empty text, 0 or false.
func (c *fieldCollector) compared(n *ast.BinaryNode) {
	if n.Operator != "==" && n.Operator != "!=" {
		return
	}
	for _, sides := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
		if !isEmptyConstant(sides[1]) {
			continue
		}
		if f, ok := c.field(sides[0]); ok {
			c.known = append(c.known, f.Path)
		}
	}
}

// isEmptyConstant reports whether a node is the empty text or 0.
func isEmptyConstant(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value == ""
	case *ast.IntegerNode:
		return n.Value == 0
	}
	return false
}

// field is the field, or part, of the event that a node names.
func (c *fieldCollector) field(n ast.Node) (FieldRead, bool) {
	var room [4]*ast.MemberNode
	chain := room[:0]
	base := unchained(n)
	for {
		m, ok := unchained(base).(*ast.MemberNode)
		if !ok {
			break
		}
		chain = append(chain, m)
		base = m.Node
	}
	root, ok := base.(*ast.IdentifierNode)
	if !ok || c.bound[root.Value] {
		return FieldRead{}, false
	}
	part, ok := EventType.Field(root.Value)
	if !ok || c.scope.named(root.Value) != part.Type {
		return FieldRead{}, false
	}
	f := FieldRead{Offset: root.Location().From}
	end, t := root.Location().To, part.Type
	var longest [64]byte
	path := append(longest[:0], root.Value...)
	for _, m := range slices.Backward(chain) {
		name, ok := m.Property.(*ast.StringNode)
		if !ok || t.Kind != Object {
			break
		}
		inner, ok := t.Field(name.Value)
		if !ok {
			break
		}
		t, end = inner.Type, m.Property.Location().To
		path = append(append(path, '.'), name.Value...)
	}
	f.Path = fieldPath(path)
	f.Length = max(1, end-f.Offset)
	return f, true
}

// fieldPath is a path as text. Those of the event's fields are made once.
func fieldPath(path []byte) string {
	if known, ok := eventPaths[string(path)]; ok {
		return known
	}
	return string(path)
}

var eventPaths = func() map[string]string {
	paths := map[string]string{}
	var add func(above string, t *Type)
	add = func(above string, t *Type) {
		for _, f := range t.Fields {
			path := above + f.Name
			paths[path] = path
			add(path+".", f.Type)
		}
	}
	add("", EventType)
	return paths
}()

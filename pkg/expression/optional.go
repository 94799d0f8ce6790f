package expression

import (
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// makeOptional lets members of untyped values be missing: raw.a.b is nothing
// where raw has no a, instead of an error. Within has(…) every member may be.
func makeOptional(tree *parser.Tree, s *Scope) {
	inner := map[ast.Node]bool{}   // continued by a longer chain
	chained := map[ast.Node]bool{} // already within a ?. chain
	inHas := map[ast.Node]bool{}
	each(tree.Node, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.MemberNode:
			inner[n.Node] = true
		case *ast.ChainNode:
			chained[n.Node] = true
		case *ast.CallNode:
			inner[n.Callee] = true
			if callee, ok := n.Callee.(*ast.IdentifierNode); ok && callee.Value == "has" {
				for _, arg := range n.Arguments {
					inHas[arg] = true
				}
			}
		}
	})
	ast.Walk(&tree.Node, visitorFunc(func(node *ast.Node) {
		m, ok := (*node).(*ast.MemberNode)
		if !ok || inner[m] || !(inHas[m] || s.untyped(m)) {
			return
		}
		for link := m; link != nil; link, _ = link.Node.(*ast.MemberNode) {
			link.Optional = link.Optional || !s.isTyped(link.Node)
		}
		if !chained[m] {
			chain := &ast.ChainNode{Node: m}
			chain.SetLocation(m.Location())
			*node = chain
		}
	}))
}

// untyped reports whether some link of a chain hangs on a value whose fields are
// not known.
func (s *Scope) untyped(m *ast.MemberNode) bool {
	for link := m; link != nil; link, _ = link.Node.(*ast.MemberNode) {
		if _, rooted := rootOf(link); !rooted {
			return false
		}
		if !s.isTyped(link.Node) {
			return true
		}
	}
	return false
}

// isTyped reports whether a node is an object with known fields.
func (s *Scope) isTyped(n ast.Node) bool {
	t := s.typeOf(n)
	return t != nil && t.Kind == Object
}

func rootOf(n ast.Node) (*ast.IdentifierNode, bool) {
	for {
		switch inner := n.(type) {
		case *ast.MemberNode:
			n = inner.Node
		case *ast.IdentifierNode:
			return inner, true
		default:
			return nil, false
		}
	}
}

// typeOf is the declared type of a name or of a chain of fields; nil where it is
// not declared.
func (s *Scope) typeOf(n ast.Node) *Type {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return s.named(n.Value)
	case *ast.MemberNode:
		base := s.typeOf(n.Node)
		name, ok := n.Property.(*ast.StringNode)
		if base == nil || !ok {
			return nil
		}
		switch base.Kind {
		case Object:
			f, _ := base.Field(name.Value)
			return f.Type
		case Map:
			return base.Elem
		}
	}
	return nil
}

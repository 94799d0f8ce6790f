package index

import (
	"github.com/expr-lang/expr/ast"
)

// term is an expression that is a field, or a field seen through functions that
// the canonical form can look through.
type term struct {
	field *field
	lower bool // the outermost change of case is lower(), …
	upper bool // … or upper()
	part  bool // only a part of the field (trimmed, or the last of a path): any comparison shows containment
}

func (t term) folded() bool { return t.lower || t.upper }

// exact reports whether comparing the term compares the unchanged bytes of the field.
func (t term) exact() bool { return !t.folded() && !t.part }

// scope is what identifiers mean inside let and predicates.
type scope struct {
	name  string // of a variable; "#" for the element of a predicate
	node  ast.Node
	where *scope // of node
	outer *scope
}

// resolve follows variables to what they stand for.
func (s *scope) resolve(n ast.Node) (ast.Node, *scope) {
	for {
		name := ""
		switch v := n.(type) {
		case *ast.IdentifierNode:
			name = v.Value
		case *ast.PointerNode:
			if v.Name != "" {
				return n, s
			}
			name = "#"
		case *ast.ChainNode:
			n = v.Node
			continue
		default:
			return n, s
		}
		b := s.find(name)
		if b == nil {
			return n, s
		}
		n, s = b.node, b.where
	}
}

func (s *scope) find(name string) *scope {
	for b := s; b != nil; b = b.outer {
		if b.name == name {
			return b
		}
	}
	return nil
}

// longPath is longer than the path of any field: room for paths that are only looked up.
const longPath = 64

// appendPath appends the dotted path of a chain of members that starts at the event.
func (s *scope) appendPath(b []byte, n ast.Node) ([]byte, bool) {
	n, s = s.resolve(n)
	switch v := n.(type) {
	case *ast.IdentifierNode:
		return append(b, v.Value...), true
	case *ast.MemberNode:
		prop, ok := v.Property.(*ast.StringNode)
		if !ok || v.Method {
			return b, false
		}
		b, ok = s.appendPath(b, v.Node)
		return append(append(b, '.'), prop.Value...), ok
	}
	return b, false
}

// term recognises a field and the functions around it.
func (s *scope) term(n ast.Node) (term, bool) {
	n, s = s.resolve(n)
	switch v := n.(type) {
	case *ast.IdentifierNode, *ast.MemberNode:
		var room [longPath]byte
		p, ok := s.appendPath(room[:0], n)
		f := table.byPath[string(p)]
		return term{field: f}, ok && f != nil
	case *ast.BinaryNode:
		if v.Operator == "??" { // a field of the event is never nil
			return s.term(v.Left)
		}
	case *ast.BuiltinNode:
		return s.call(v.Name, v.Arguments)
	case *ast.CallNode:
		if id, ok := v.Callee.(*ast.IdentifierNode); ok {
			return s.call(id.Value, v.Arguments)
		}
	}
	return term{}, false
}

func (s *scope) call(name string, args []ast.Node) (term, bool) {
	if len(args) != 1 {
		return term{}, false
	}
	t, ok := s.term(args[0])
	if !ok || t.field.typ != textType {
		return term{}, false
	}
	switch name {
	case "string":
	case "lower":
		t.lower, t.upper = true, false
	case "upper":
		t.lower, t.upper = false, true
	case "trim", "basename", "dirname":
		t.part = true
	default:
		return term{}, false
	}
	return t, true
}

// constant is the value of a literal.
func (s *scope) constant(n ast.Node) (any, bool) {
	n, s = s.resolve(n)
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.IntegerNode:
		return v.Value, true
	case *ast.FloatNode:
		return v.Value, true
	case *ast.BoolNode:
		return v.Value, true
	case *ast.ConstantNode:
		return v.Value, true
	case *ast.UnaryNode:
		if v.Operator == "-" {
			return negative(v.Node)
		}
	case *ast.ArrayNode:
		list := make([]any, len(v.Nodes))
		for i, e := range v.Nodes {
			c, ok := s.constant(e)
			if !ok {
				return nil, false
			}
			list[i] = c
		}
		return list, true
	}
	return nil, false
}

func negative(n ast.Node) (any, bool) {
	switch v := n.(type) {
	case *ast.IntegerNode:
		return -v.Value, true
	case *ast.FloatNode:
		return -v.Value, true
	}
	return nil, false
}

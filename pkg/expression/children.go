package expression

import (
	"slices"

	"github.com/expr-lang/expr/ast"
)

// eachChild visits the direct children of any node, in the order of the source.
func eachChild(n ast.Node, visit func(ast.Node)) {
	switch n := n.(type) {
	case *ast.BinaryNode:
		visitAll(visit, n.Left, n.Right)
	case *ast.CallNode:
		visit(n.Callee)
		visitAll(visit, n.Arguments...)
	case *ast.BuiltinNode:
		visitAll(visit, n.Arguments...)
	case *ast.ArrayNode:
		visitAll(visit, n.Nodes...)
	case *ast.VariableDeclaratorNode:
		visitAll(visit, n.Value, n.Expr)
	case *ast.SequenceNode:
		visitAll(visit, n.Nodes...)
	case *ast.UnaryNode:
		visit(n.Node)
	case *ast.ChainNode:
		visit(n.Node)
	case *ast.MemberNode:
		visitAll(visit, n.Node, n.Property)
	case *ast.SliceNode:
		visitAll(visit, n.Node, n.From, n.To)
	case *ast.PredicateNode:
		visit(n.Node)
	case *ast.ConditionalNode:
		visitAll(visit, n.Cond, n.Exp1, n.Exp2)
	case *ast.MapNode:
		visitAll(visit, n.Pairs...)
	case *ast.PairNode:
		visitAll(visit, n.Key, n.Value)
	}
}

func visitAll(visit func(ast.Node), nodes ...ast.Node) {
	for _, n := range nodes {
		if n != nil { // an open end of a slice
			visit(n)
		}
	}
}

// alike reports whether two nodes are printed alike, so that they have the same value.
// That a member is optional is not printed.
func alike(a, b ast.Node) bool {
	a, b = unchained(a), unchained(b)
	if a == b {
		return true
	}
	switch a := a.(type) {
	case *ast.IdentifierNode:
		b, ok := b.(*ast.IdentifierNode)
		return ok && a.Value == b.Value
	case *ast.StringNode:
		b, ok := b.(*ast.StringNode)
		return ok && a.Value == b.Value
	case *ast.MemberNode:
		b, ok := b.(*ast.MemberNode)
		return ok && alike(a.Property, b.Property) && alike(a.Node, b.Node)
	case *ast.CallNode:
		b, ok := b.(*ast.CallNode)
		return ok && alike(a.Callee, b.Callee) && slices.EqualFunc(a.Arguments, b.Arguments, alike)
	case *ast.BuiltinNode:
		b, ok := b.(*ast.BuiltinNode)
		return ok && a.Name == b.Name && slices.EqualFunc(a.Arguments, b.Arguments, alike)
	case *ast.BinaryNode:
		b, ok := b.(*ast.BinaryNode)
		return ok && a.Operator == b.Operator && alike(a.Left, b.Left) && alike(a.Right, b.Right)
	}
	return printed(a) == printed(b)
}

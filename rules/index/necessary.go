package index

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"edrpipe/pkg/events"
)

// maxVisits bounds the work on one expression: variables and nested ternaries
// can be visited more often than they are written. Beyond it everything is
// "always", which is safe.
const maxVisits = 200_000

// extractor derives necessary conditions. For each sub-expression x there are
// two: whenTrue(x) holds whenever x is true or fails, whenFalse(x) whenever x is
// false or fails. An expression that fails must stay a candidate, or its error
// would go unseen; since && and || stop early, an operand that may fail hides
// what follows it.
type extractor struct {
	intern func(*atom) int32
	visits int
	image  bool     // the expression may read the image
	opaque []string // unsupported subtrees, for the report to rule authors
}

// condition is the necessary condition of a whole expression.
func (x *extractor) condition(n ast.Node) cond {
	x.begin(n)
	return x.derive(n, nil, true)
}

// begin sets the extractor to another expression.
func (x *extractor) begin(n ast.Node) { x.visits, x.opaque, x.image = 0, nil, namesImage(n) }

// derive is whenTrue(n) for truth, whenFalse(n) for !truth. A comparison with the
// image's metadata may be either while that is unknown.
func (x *extractor) derive(n ast.Node, s *scope, truth bool) cond {
	if x.visits++; x.visits > maxVisits {
		return always
	}
	n, s = s.resolve(n)
	c := x.known(n, s, truth)
	if c.op != condAlways && x.image && isComparison(n) && readsImage(n, s) {
		return anyOf(c, x.boolean(table.byPath["image.known"], false))
	}
	return c
}

// isComparison reports whether a node is no connective of conditions.
func isComparison(n ast.Node) bool {
	switch v := n.(type) {
	case *ast.UnaryNode:
		return v.Operator != "!" && v.Operator != "not"
	case *ast.BinaryNode:
		return v.Operator != "&&" && v.Operator != "and" && v.Operator != "||" && v.Operator != "or"
	case *ast.BoolNode, *ast.SequenceNode:
		return false
	}
	return true
}

// readsImage reports whether a comparison reads a field of the image that is unknown
// while the image is.
func readsImage(n ast.Node, s *scope) bool {
	reads := false
	ast.Walk(&n, visitor(func(node *ast.Node) {
		if t, ok := s.term(*node); ok {
			fact, isFact := events.FactOf(t.field.path)
			reads = reads || isFact && fact == events.FactImage
		}
	}))
	return reads
}

// namesImage reports whether the image, or everything, is named in an expression.
func namesImage(n ast.Node) bool {
	names := false
	ast.Walk(&n, visitor(func(node *ast.Node) {
		if v, ok := (*node).(*ast.IdentifierNode); ok && (v.Value == "image" || v.Value == "$env") {
			names = true
		}
	}))
	return names
}

type visitor func(*ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(n *ast.Node) { v(n) }

// known is derive for an event whose image is known.
func (x *extractor) known(n ast.Node, s *scope, truth bool) cond {
	switch v := n.(type) {
	case *ast.BoolNode:
		if v.Value == truth {
			return always
		}
		return never
	case *ast.UnaryNode:
		if v.Operator == "!" || v.Operator == "not" {
			return x.derive(v.Node, s, !truth)
		}
	case *ast.BinaryNode:
		return x.binary(v, s, truth)
	case *ast.ConditionalNode:
		return x.ternary(v, s, truth)
	case *ast.VariableDeclaratorNode:
		if x.mayFail(v.Value, s) {
			return x.unknown(v.Value)
		}
		return x.derive(v.Expr, &scope{name: v.Name, node: v.Value, where: s, outer: s}, truth)
	case *ast.SequenceNode:
		if len(v.Nodes) == 1 {
			return x.derive(v.Nodes[0], s, truth)
		}
	case *ast.BuiltinNode:
		return x.call(v, v.Name, v.Arguments, s, truth)
	case *ast.CallNode:
		if id, ok := v.Callee.(*ast.IdentifierNode); ok {
			return x.call(v, id.Value, v.Arguments, s, truth)
		}
	case *ast.IdentifierNode, *ast.MemberNode:
		if t, ok := s.term(n); ok && t.field.typ == boolType {
			return x.boolean(t.field, truth)
		}
	}
	return x.unknown(n)
}

func (x *extractor) unknown(n ast.Node) cond {
	if len(x.opaque) < 8 {
		x.opaque = append(x.opaque, n.String())
	}
	return always
}

func (x *extractor) binary(v *ast.BinaryNode, s *scope, truth bool) cond {
	switch v.Operator {
	case "&&", "and":
		return x.both(v.Left, v.Right, s, truth, truth)
	case "||", "or":
		return x.both(v.Left, v.Right, s, truth, !truth)
	case "==", "!=", "<", "<=", ">", ">=", "contains", "startsWith", "endsWith", "matches", "in":
		if x.mayFail(v, s) {
			break
		}
		if c, ok := x.comparison(v, s, truth); ok {
			return c
		}
	}
	return x.unknown(v)
}

// both is the condition of two operands joined by && or ||. conjunct: both operands are
// necessary for the required truth: "a && b" is true, or "a || b" is false, only if a
// and b both are. If a may fail, b need not have been reached.
func (x *extractor) both(a, b ast.Node, s *scope, truth, conjunct bool) cond {
	ca := x.derive(a, s, truth)
	if !conjunct {
		return anyOf(ca, x.derive(b, s, truth))
	}
	if x.mayFail(a, s) {
		return ca
	}
	return allOf(ca, x.derive(b, s, truth))
}

func (x *extractor) ternary(v *ast.ConditionalNode, s *scope, truth bool) cond {
	if x.mayFail(v.Cond, s) {
		return x.unknown(v.Cond)
	}
	return anyOf(
		allOf(x.derive(v.Cond, s, true), x.derive(v.Exp1, s, truth)),
		allOf(x.derive(v.Cond, s, false), x.derive(v.Exp2, s, truth)),
	)
}

// claim is the condition that an atom holds or, for !truth, does not.
func (x *extractor) claim(a *atom, truth bool) cond {
	switch {
	case truth:
		return x.holds(a)
	case a.refusable:
		return cond{op: condLacks, atom: x.intern(a)}
	}
	return always
}

func (x *extractor) holds(a *atom) cond { return cond{op: condHolds, atom: x.intern(a)} }

// why explains to a rule author why the condition has no atom to look up.
func (x *extractor) why() string {
	opaque := slices.Compact(x.opaque)
	if len(opaque) == 0 {
		return "it only says what must not be, or compares with short or common values; add a comparison that must hold"
	}
	if len(opaque) > 3 {
		opaque = opaque[:3]
	}
	return fmt.Sprintf("no comparison of an event field with a constant is required; not understood: %s", strings.Join(opaque, "; "))
}

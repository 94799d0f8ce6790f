package index

import (
	"bytes"
	"reflect"
	"time"

	"github.com/expr-lang/expr/ast"

	"edrpipe/pkg/expression"
)

// mayFail reports whether evaluating n can end in an error at run time. Whatever is
// not known to be safe may fail.
func (x *extractor) mayFail(n ast.Node, s *scope) bool {
	if x.visits++; x.visits > maxVisits {
		return true
	}
	switch v := n.(type) {
	case *ast.NilNode, *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.ConstantNode:
		return false
	case *ast.IdentifierNode, *ast.PointerNode:
		if m, ms := s.resolve(n); m != n {
			return x.mayFail(m, ms)
		}
		return !s.isLeaf(n)
	case *ast.MemberNode:
		return !s.isLeaf(n)
	case *ast.ChainNode:
		return x.mayFail(v.Node, s)
	case *ast.UnaryNode:
		return x.mayFail(v.Node, s)
	case *ast.BinaryNode:
		return x.binaryMayFail(v, s)
	case *ast.ConditionalNode:
		return x.mayFail(v.Cond, s) || x.mayFail(v.Exp1, s) || x.mayFail(v.Exp2, s)
	case *ast.VariableDeclaratorNode:
		return x.mayFail(v.Value, s) ||
			x.mayFail(v.Expr, &scope{name: v.Name, node: v.Value, where: s, outer: s})
	case *ast.ArrayNode:
		return x.anyMayFail(v.Nodes, s)
	case *ast.BuiltinNode:
		return x.callMayFail(v.Name, v.Arguments, s)
	case *ast.CallNode:
		id, ok := v.Callee.(*ast.IdentifierNode)
		return !ok || x.callMayFail(id.Value, v.Arguments, s)
	}
	return true
}

func (x *extractor) anyMayFail(ns []ast.Node, s *scope) bool {
	for _, n := range ns {
		if x.mayFail(n, s) {
			return true
		}
	}
	return false
}

// isLeaf reports whether n is a leaf of the event, or a key of the message itself.
func (s *scope) isLeaf(n ast.Node) bool {
	var room [longPath]byte
	p, ok := s.appendPath(room[:0], n)
	key, isRaw := bytes.CutPrefix(p, []byte("raw."))
	return ok && (table.leaves[string(p)] || isRaw && bytes.IndexByte(key, '.') < 0)
}

func (x *extractor) binaryMayFail(v *ast.BinaryNode, s *scope) bool {
	if x.mayFail(v.Left, s) || x.mayFail(v.Right, s) {
		return true
	}
	l, r := kindOf(v.Left, s), kindOf(v.Right, s)
	switch v.Operator {
	case "&&", "and", "||", "or", "==", "!=", "??":
		return false
	case "<", "<=", ">", ">=":
		return l == other || l != r
	case "contains", "startsWith", "endsWith":
		return l != text || r != text
	case "matches":
		_, ok := s.constant(v.Right)
		return l != text || !ok
	case "in":
		_, ok := s.constant(v.Right)
		return l == other || !ok
	}
	return true
}

// safeFunctions never fail for texts: those of ours that are Total, and these of expr-lang.
var safeFunctions = func() map[string]bool {
	safe := map[string]bool{"lower": true, "upper": true, "trim": true, "len": true, "hasPrefix": true, "hasSuffix": true}
	for _, f := range expression.Functions() {
		safe[f.Name] = f.Total
	}
	return safe
}()

func (x *extractor) callMayFail(name string, args []ast.Node, s *scope) bool {
	switch name {
	case "any", "all", "none":
		return x.quantifiedMayFail(args, s)
	case "has", "known":
		return x.anyMayFail(args, s)
	case "iin":
		if len(args) == 2 {
			_, ok := s.constant(args[1])
			return !ok || kindOf(args[0], s) != text || x.mayFail(args[0], s)
		}
	}
	if !safeFunctions[name] || x.anyMayFail(args, s) {
		return true
	}
	for _, a := range args {
		if kindOf(a, s) != text {
			return true
		}
	}
	return false
}

func (x *extractor) quantifiedMayFail(args []ast.Node, s *scope) bool {
	if len(args) != 2 {
		return true
	}
	elements, ok := s.elements(args[0])
	pred, isPred := args[1].(*ast.PredicateNode)
	if !ok || !isPred {
		return true
	}
	for _, e := range elements {
		if x.mayFail(pred.Node, &scope{name: "#", node: e, outer: s}) {
			return true
		}
	}
	return false
}

// Sorts of operands, as far as they decide whether an operator can fail.
const (
	other = iota
	text
	number
	duration
	instant
)

func kindOf(n ast.Node, s *scope) int {
	n, s = s.resolve(n)
	if _, ok := n.(*ast.StringNode); ok {
		return text
	}
	if c, ok := s.constant(n); ok {
		switch c.(type) {
		case string:
			return text
		case int, float64:
			return number
		case time.Duration:
			return duration
		}
		return other
	}
	t := n.Type()
	if t == nil {
		return other
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return duration
	case t == reflect.TypeFor[time.Time]():
		return instant
	case t.PkgPath() != "":
		return other // a named type: operators of the machine may not take it
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Int, reflect.Int64, reflect.Float64:
		return number
	}
	return other
}

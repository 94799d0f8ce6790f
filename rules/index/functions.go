package index

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"edrpipe/pkg/expression"
)

// call understands the functions that give a boolean.
func (x *extractor) call(n ast.Node, name string, args []ast.Node, s *scope, truth bool) cond {
	switch name {
	case "any", "all", "none":
		if c, ok := x.quantified(name, args, s, truth); ok {
			return c
		}
	default:
		if x.callMayFail(name, args, s) {
			break
		}
		if c, ok := x.function(name, args, s, truth); ok {
			return c
		}
	}
	return x.unknown(n)
}

// foldingOps are the functions that compare without regard to case.
var foldingOps = func() map[string]op {
	ops := map[string]op{}
	for _, f := range expression.Functions() {
		if o, ok := textOps[f.Like]; ok {
			ops[f.Name] = o
		}
	}
	return ops
}()

// function is the condition of one of the functions of the rule language.
func (x *extractor) function(name string, args []ast.Node, s *scope, truth bool) (cond, bool) {
	if len(args) == 0 {
		return always, false
	}
	t, ok := s.term(args[0])
	if !ok {
		return always, false
	}
	if name == "has" {
		return x.has(t, truth)
	}
	if len(args) < 2 || t.field.typ != textType {
		return always, false
	}
	c, ok := s.constant(args[1])
	if !ok {
		return always, false
	}
	switch name {
	case "iin":
		return x.textIn(foldBoth(t), c, truth)
	case "cidr":
		return x.networks(t, args[1:], s, truth)
	}
	lit, ok := c.(string)
	if !ok {
		return always, false
	}
	switch name {
	case "hasPrefix":
		return x.text(opPrefix, t, lit, truth), true
	case "hasSuffix":
		return x.text(opSuffix, t, lit, truth), true
	case "glob":
		return x.glob(t, lit, truth), true
	case "iglob":
		return x.glob(foldBoth(t), lit, truth), true
	}
	o, ok := foldingOps[name]
	if !ok {
		return always, false
	}
	return x.text(o, foldBoth(t), lit, truth), true
}

// has is the condition that a field is not its zero value.
func (x *extractor) has(t term, truth bool) (cond, bool) {
	switch {
	case !t.exact() || t.field.typ == floatType: // -0 is present and equals 0
		return always, false
	case t.field.typ == textType:
		return x.text(opEqual, t, "", !truth), true
	case t.field.typ == boolType:
		return x.boolean(t.field, truth), true
	}
	return x.claim(&atom{field: t.field, op: opIs, refusable: true}, !truth), true
}

// glob is the condition that the text has all the literal parts of a pattern.
func (x *extractor) glob(t term, pattern string, truth bool) cond {
	if !truth {
		return constantly(pattern == "" || strings.Trim(pattern, "*") != "")
	}
	if !utf8.ValidString(pattern) {
		return always
	}
	c := always
	for _, part := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' || r == utf8.RuneError }) {
		c = allOf(c, x.text(opContains, t, part, true))
	}
	return c
}

// foldBoth is the term as a function sees it that folds both its arguments.
func foldBoth(t term) term {
	t.lower, t.upper = true, true
	return t
}

// networks is the condition of an address in one of some networks.
func (x *extractor) networks(t term, args []ast.Node, s *scope, truth bool) (cond, bool) {
	if !t.exact() {
		return always, false
	}
	var kids []cond
	for _, arg := range args {
		c, _ := s.constant(arg)
		lit, _ := c.(string)
		p, err := netip.ParsePrefix(lit)
		if err != nil {
			return always, false
		}
		kids = append(kids, x.claim(&atom{field: t.field, op: opNet, net: p.Masked(), refusable: true}, truth))
	}
	if truth {
		return anyOf(kids...), true
	}
	return allOf(kids...), true
}

// quantified expands any, all and none over a list of constants.
func (x *extractor) quantified(name string, args []ast.Node, s *scope, truth bool) (cond, bool) {
	if len(args) != 2 {
		return always, false
	}
	pred, ok := args[1].(*ast.PredicateNode)
	if !ok {
		return always, false
	}
	elements, ok := s.elements(args[0])
	if !ok {
		return always, false
	}
	want, conjunct := truth, name == "any" == !truth
	if name == "none" { // none is "not any"
		want, conjunct = !truth, truth
	}
	var kids []cond
	for _, e := range elements {
		inner := &scope{name: "#", node: e, outer: s}
		kids = append(kids, x.derive(pred.Node, inner, want))
		if conjunct && x.mayFail(pred.Node, inner) {
			break
		}
	}
	if conjunct {
		return allOf(kids...), true
	}
	return anyOf(kids...), true
}

// elements are the members of a list of constants.
func (s *scope) elements(n ast.Node) ([]ast.Node, bool) {
	c, ok := s.constant(n)
	if !ok {
		return nil, false
	}
	var nodes []ast.Node
	switch list := c.(type) {
	case []any:
		for _, e := range list {
			nodes = append(nodes, &ast.ConstantNode{Value: e})
		}
	case []string:
		for _, e := range list {
			nodes = append(nodes, &ast.ConstantNode{Value: e})
		}
	default:
		return nil, false
	}
	return nodes, true
}

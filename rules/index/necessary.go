package index

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
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
	opaque []string // what was not understood, for the report to rule authors
}

// condition is the necessary condition of a whole expression.
func (x *extractor) condition(n ast.Node) cond {
	x.visits, x.opaque = 0, nil
	return x.derive(n, nil, true)
}

// derive is whenTrue(n) for truth, whenFalse(n) for !truth.
func (x *extractor) derive(n ast.Node, s *scope, truth bool) cond {
	if x.visits++; x.visits > maxVisits {
		return always
	}
	n, s = s.resolve(n)
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

// both is the condition of two operands joined by && or ||. conjunct says that
// both are needed for the truth asked for: "a && b" is true, or "a || b" is
// false, only if a and b both are. If a may fail, b need not have been reached.
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
var foldingOps = map[string]op{"icontains": opContains, "istartswith": opPrefix, "iendswith": opSuffix, "ieq": opEqual}

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

// mirrored are the comparisons with their sides exchanged.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// comparison is the condition of an operator between a field and a constant.
func (x *extractor) comparison(v *ast.BinaryNode, s *scope, truth bool) (cond, bool) {
	op, left, right := v.Operator, v.Left, v.Right
	if value, ok := s.compared(op, left, right); ok {
		return constantly(value == truth), true
	}
	if _, isConst := s.constant(left); isConst && mirrored[op] != "" {
		op, left, right = mirrored[op], right, left
	}
	t, ok := s.term(left)
	if !ok {
		return always, false
	}
	if other, same := s.term(right); same && op == "==" && other == t && t.exact() && t.field.typ != floatType {
		return constantly(truth), true // compared with itself; NaN is not itself
	}
	c, ok := s.constant(right)
	if !ok {
		return always, false
	}
	if op == "!=" {
		op, truth = "==", !truth
	}
	switch t.field.typ {
	case textType:
		return x.textComparison(op, t, c, truth)
	case boolType:
		b, ok := c.(bool)
		return x.boolean(t.field, b == truth), ok && op == "=="
	}
	return x.numberComparison(op, t.field, c, truth)
}

// compared is the value of a comparison of two constants.
func (s *scope) compared(op string, left, right ast.Node) (value, ok bool) {
	a, isConst := s.constant(left)
	b, also := s.constant(right)
	if !isConst || !also {
		return false, false
	}
	switch a := a.(type) {
	case int:
		b, same := b.(int)
		return ordered(op, a, b, same)
	case string:
		b, same := b.(string)
		return ordered(op, a, b, same)
	}
	return false, false
}

func ordered[T cmp.Ordered](op string, a, b T, same bool) (value, ok bool) {
	switch op {
	case "==":
		return a == b, same
	case "!=":
		return a != b, same
	case "<":
		return a < b, same
	case "<=":
		return a <= b, same
	case ">":
		return a > b, same
	case ">=":
		return a >= b, same
	}
	return false, false
}

var textOps = map[string]op{"==": opEqual, "contains": opContains, "startsWith": opPrefix, "endsWith": opSuffix}

func (x *extractor) textComparison(op string, t term, c any, truth bool) (cond, bool) {
	if op == "in" {
		return x.textIn(t, c, truth)
	}
	lit, ok := c.(string)
	if !ok {
		return always, false
	}
	if op == "matches" {
		if !truth {
			return constantly(!matchesAll(lit)), true
		}
		return literals(lit, func(s string) cond {
			return x.text(opContains, term{field: t.field, lower: true}, s, true)
		}), true
	}
	o, ok := textOps[op]
	if !ok {
		return always, false
	}
	return x.text(o, t, lit, truth), true
}

// text is the condition of a comparison of texts.
func (x *extractor) text(o op, t term, lit string, truth bool) cond {
	if lit == "" && o != opEqual {
		return constantly(truth)
	}
	if t.part {
		if lit == "" {
			return always
		}
		o = opContains
	}
	a := &atom{field: t.field, op: o, text: lit, refusable: t.exact()}
	if t.folded() {
		if !utf8.ValidString(lit) {
			return always
		}
		a.fold, a.text, a.refusable = true, canonical(lit), t.faithful(lit)
	}
	a.raw = []byte(a.text)
	return x.claim(a, truth)
}

// faithful says that for an ASCII value the canonical comparison with lit is
// exactly the comparison written: only then may its opposite refuse.
func (t term) faithful(lit string) bool {
	switch {
	case t.part || !isASCII(lit):
		return false
	case t.lower && t.upper:
		return true
	case t.lower:
		return lit == strings.ToLower(lit)
	}
	return lit == strings.ToUpper(lit)
}

func (x *extractor) textIn(t term, c any, truth bool) (cond, bool) {
	var list []string
	switch v := c.(type) {
	case map[string]struct{}:
		list = sortedKeys(v)
	case []string:
		list = v
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return always, false
			}
			list = append(list, s)
		}
	default:
		return always, false
	}
	if t.part || len(list) == 0 {
		return always, false
	}
	a := &atom{field: t.field, op: opIn, fold: t.folded(), texts: map[string]struct{}{}, refusable: true}
	for _, lit := range list {
		if a.fold {
			if !utf8.ValidString(lit) {
				return always, false
			}
			a.refusable = a.refusable && t.faithful(lit)
			lit = canonical(lit)
		}
		a.texts[lit] = struct{}{}
	}
	return x.claim(a, truth), true
}

func constantly(b bool) cond {
	if b {
		return always
	}
	return never
}

func (x *extractor) boolean(f *field, want bool) cond {
	a := &atom{field: f, op: opIs, refusable: true}
	if want {
		a.num = 1
	}
	return x.holds(a)
}

var numberOps = map[string]op{"==": opIs, "<": opLess, "<=": opLessEq, ">": opMore, ">=": opMoreEq}

// opposite are the orders that hold exactly where the other does not. Not so
// for floating-point numbers: NaN is neither less nor more.
var opposite = map[op]op{opLess: opMoreEq, opLessEq: opMore, opMore: opLessEq, opMoreEq: opLess}

func (x *extractor) numberComparison(op string, f *field, c any, truth bool) (cond, bool) {
	if op == "in" {
		return x.numberIn(f, c, truth)
	}
	o, ok := numberOps[op]
	if !ok {
		return always, false
	}
	a := &atom{field: f, op: o, refusable: true}
	switch n := c.(type) {
	case int:
		a.num, a.flt, a.float = int64(n), float64(n), f.typ == floatType
	case float64:
		a.flt, a.float = n, true
	default:
		return always, false
	}
	if opp, ok := opposite[o]; ok && !truth && !a.float {
		a.op, truth = opp, true
	}
	return x.claim(a, truth), true
}

func (x *extractor) numberIn(f *field, c any, truth bool) (cond, bool) {
	var list []int
	switch v := c.(type) {
	case map[int]struct{}:
		list = sortedKeys(v)
	case []int:
		list = v
	case []any:
		for _, e := range v {
			n, ok := e.(int)
			if !ok {
				return always, false
			}
			list = append(list, n)
		}
	default:
		return always, false
	}
	if f.typ != intType || len(list) == 0 {
		return always, false
	}
	a := &atom{field: f, op: opIsIn, nums: map[int64]struct{}{}, refusable: true}
	for _, n := range list {
		a.nums[int64(n)] = struct{}{}
	}
	return x.claim(a, truth), true
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

// why explains to a rule author why nothing could be looked up.
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

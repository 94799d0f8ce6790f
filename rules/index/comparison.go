package index

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

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
	return x.claim(a, truth)
}

// faithful reports whether, for an ASCII value, the canonical comparison with lit equals
// the comparison written: only then may its negation refuse.
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

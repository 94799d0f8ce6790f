package index

import (
	"regexp/syntax"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// Decided reports whether a condition has the same value for every event: a rule
// with one that is always true would act on every event; one that is never true never
// acts. If the analysis cannot prove either, decided is false.
func Decided(tree ast.Node) (value, decided bool) {
	var d decider
	numbers := map[string]int32{}
	x := &extractor{intern: func(a *atom) int32 {
		key := a.key()
		n, ok := numbers[key]
		if !ok {
			n = int32(len(d.atoms))
			numbers[key], d.atoms = n, append(d.atoms, a)
		}
		return n
	}}
	x.begin(tree)
	switch {
	case d.impossible(x.derive(tree, nil, false)):
		return true, true
	case d.impossible(x.derive(tree, nil, true)):
		return false, true
	}
	return false, false
}

type decider struct{ atoms []*atom }

// impossible reports whether no event can meet the condition.
func (d *decider) impossible(c cond) bool {
	switch c.op {
	case condNever:
		return true
	case condAny:
		return !slices.ContainsFunc(c.kids, func(kid cond) bool { return !d.impossible(kid) })
	case condAll:
		return slices.ContainsFunc(c.kids, d.impossible) || d.contradicts(c.kids)
	}
	return false
}

// contradicts reports whether an atom would have to hold and not to hold, or a
// field to have two values.
func (d *decider) contradicts(kids []cond) bool {
	holds, values := map[int32]bool{}, map[*field]int64{}
	for _, kid := range kids {
		if kid.op != condHolds {
			continue
		}
		holds[kid.atom] = true
		if a := d.atoms[kid.atom]; a.op == opIs && !a.float {
			if other, known := values[a.field]; known && other != a.num {
				return true
			}
			values[a.field] = a.num
		}
	}
	return slices.ContainsFunc(kids, func(kid cond) bool { return kid.op == condLacks && holds[kid.atom] })
}

// matchesAll reports whether a regular expression is found in every text: it
// finds the empty text, with no anchor but the beginning.
func matchesAll(pattern string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return false
	}
	re = re.Simplify()
	if re.Op == syntax.OpConcat && len(re.Sub) > 0 && re.Sub[0].Op == syntax.OpBeginText {
		re.Sub = re.Sub[1:]
	}
	return findsNothing(re)
}

// findsNothing reports whether the expression is met by the empty text, wherever
// that stands.
func findsNothing(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpRepeat:
		return re.Min == 0 || findsNothing(re.Sub[0])
	case syntax.OpCapture, syntax.OpPlus:
		return findsNothing(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if findsNothing(sub) {
				return true
			}
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !findsNothing(sub) {
				return false
			}
		}
		return true
	}
	return false
}

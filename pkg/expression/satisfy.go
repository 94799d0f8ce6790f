package expression

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// maxBranches bounds how many combinations of alternatives are tried before a
// condition counts as one that can be true.
const maxBranches = 2000

// contradictions reports parts of a condition that no event can meet, as
// a == 1 && a == 2, and parts that every event meets, as a != 1 || a != 2.
func (s *Scope) contradictions(tree *parser.Tree, lets map[string]ast.Node) Errors {
	for _, value := range lets {
		if value == nil {
			return nil // a name with two meanings
		}
	}
	c := &contradictionFinder{search: search{reader: factReader{scope: s, lets: lets}}}
	c.walk(tree.Node)
	return c.found
}

type contradictionFinder struct {
	search search
	found  Errors
}

// walk looks at every group of and, and of or, the inner ones first: what is wrong
// with a part is not said of the whole again.
func (c *contradictionFinder) walk(n ast.Node) {
	before := len(c.found)
	parts, connective := connected(n)
	if connective == "" {
		eachChild(n, c.walk)
	}
	for _, part := range parts {
		c.walk(part)
	}
	if len(c.found) > before || len(c.found) >= maxErrors {
		return
	}
	switch connective {
	case "and":
		c.group(n, parts, false, "cannot both be true", "this can never be true")
	case "or":
		c.group(n, parts, true, "cannot both be false, so that this is always true", "this is always true")
	default:
		c.comparison(n)
	}
}

// connected lists the parts of a row of and, or of or; any other node has none, and no
// connective.
func connected(n ast.Node) (parts []ast.Node, connective string) {
	if b, ok := n.(*ast.BinaryNode); ok {
		switch b.Operator {
		case "and", "&&":
			return chained(nil, n, "and", "&&"), "and"
		case "or", "||":
			return chained(nil, n, "or", "||"), "or"
		}
	}
	return nil, ""
}

// comparison reports a comparison that has one outcome.
func (c *contradictionFinder) comparison(n ast.Node) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return
	}
	f := c.search.reader.comparison(b)
	if f == nil || f.open() {
		return
	}
	switch {
	case !c.possible(term{n, false}):
		c.found = append(c.found, at(wholeOf(n), shorten(printed(n))+" can never be true", ""))
	case !c.possible(term{n, true}):
		c.found = append(c.found, at(wholeOf(n), shorten(printed(n))+" is always true", ""))
	}
}

// group reports parts that cannot hold together; of an or, whose opposites cannot.
func (c *contradictionFinder) group(n ast.Node, parts []ast.Node, opposite bool, pair, all string) {
	terms := make([]term, len(parts))
	for i, part := range parts {
		terms[i] = term{part, opposite}
	}
	if c.possible(terms...) {
		return
	}
	for i, a := range terms {
		if !c.possible(a) {
			what := "can never be true"
			if opposite {
				what = "is always true"
			}
			c.found = append(c.found, at(wholeOf(a.node), fmt.Sprintf("%s %s", shorten(printed(a.node)), what), ""))
			return
		}
		for _, b := range terms[:i] {
			if !c.possible(b, a) {
				e := at(wholeOf(a.node), fmt.Sprintf("%s and %s %s", shorten(printed(b.node)), shorten(printed(a.node)), pair), "")
				e.Hint = orInstead(b.node, a.node, opposite)
				c.found = append(c.found, e)
				return
			}
		}
	}
	c.found = append(c.found, at(wholeOf(n), all, ""))
}

// orInstead suggests what is usually meant.
func orInstead(a, b ast.Node, opposite bool) string {
	x, ok1 := a.(*ast.BinaryNode)
	y, ok2 := b.(*ast.BinaryNode)
	switch {
	case !ok1 || !ok2:
		return ""
	case !opposite && x.Operator == "==" && y.Operator == "==" && x.Left.String() == y.Left.String():
		return fmt.Sprintf("write %s in [%s, %s]", printed(x.Left), x.Right.String(), y.Right.String())
	case opposite && x.Operator == "!=" && y.Operator == "!=" && x.Left.String() == y.Left.String():
		return fmt.Sprintf("write %s not in [%s, %s]", printed(x.Left), x.Right.String(), y.Right.String())
	}
	return ""
}

// term is a node that is to be true, or false where not is set.
type term struct {
	node ast.Node
	not  bool
}

// possible reports whether the terms may all hold on some event. What it cannot tell
// is possible.
func (c *contradictionFinder) possible(terms ...term) bool {
	s := &c.search
	s.left, s.facts, s.pending = maxBranches, s.facts[:0], s.pending[:0]
	next := none
	for _, t := range slices.Backward(terms) {
		next = s.first(t, next)
	}
	return s.hold(next)
}

// search tries the combinations of alternatives.
type search struct {
	reader  factReader
	left    int       // combinations that are tried yet
	facts   []fact    // what is to hold
	pending []pending // all the lists of terms that are to hold, too
}

// pending is a term and the place, in all of them, of what is to hold after it.
type pending struct {
	term
	next int
}

// none is the end of a list of what is pending.
const none = -1

// first puts a term before what is pending.
func (s *search) first(t term, next int) int {
	s.pending = append(s.pending, pending{t, next})
	return len(s.pending) - 1
}

// hold reports whether what is pending may hold beside the facts.
func (s *search) hold(next int) bool {
	if s.left--; s.left < 0 {
		return true
	}
	for next != none {
		t := s.pending[next].term
		next = s.pending[next].next
		switch n := t.node.(type) {
		case *ast.UnaryNode:
			if n.Operator == "!" || n.Operator == "not" {
				next = s.first(term{n.Node, !t.not}, next)
				continue
			}
		case *ast.BoolNode:
			if n.Value == t.not {
				return false
			}
			continue
		case *ast.ConditionalNode:
			return s.either(next, []term{{n.Cond, false}, {n.Exp1, t.not}}, []term{{n.Cond, true}, {n.Exp2, t.not}})
		case *ast.BinaryNode:
			if n.Operator == "and" || n.Operator == "&&" || n.Operator == "or" || n.Operator == "||" {
				conjunction := (n.Operator == "and" || n.Operator == "&&") != t.not
				if conjunction {
					next = s.first(term{n.Left, t.not}, s.first(term{n.Right, t.not}, next))
					continue
				}
				return s.either(next, []term{{n.Left, t.not}}, []term{{n.Right, t.not}})
			}
		}
		s.facts = append(s.facts, s.reader.read(t))
		if !consistent(s.facts) {
			return false
		}
	}
	return true
}

// either reports whether one of two lists of terms may hold with what is pending.
func (s *search) either(next int, alternatives ...[]term) bool {
	facts, all := len(s.facts), len(s.pending)
	for _, terms := range alternatives {
		first := next
		for _, t := range slices.Backward(terms) {
			first = s.first(t, first)
		}
		if s.hold(first) {
			return true
		}
		s.facts, s.pending = s.facts[:facts], s.pending[:all]
	}
	return false
}

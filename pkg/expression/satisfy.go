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
func (s *Scope) contradictions(tree *parser.Tree) Errors {
	c := &contradictionFinder{facts: factReader{scope: s, lets: letsOf(tree.Node)}}
	for _, value := range c.facts.lets {
		if value == nil {
			return nil // a name with two meanings
		}
	}
	c.walk(tree.Node)
	return c.found
}

type contradictionFinder struct {
	facts factReader
	found Errors
}

// walk looks at every group of and, and of or, the inner ones first: what is wrong
// with a part is not said of the whole again.
func (c *contradictionFinder) walk(n ast.Node) {
	before := len(c.found)
	and, or := chained(n, "and", "&&"), chained(n, "or", "||")
	kids := children(n)
	if len(and) > 1 {
		kids = and
	} else if len(or) > 1 {
		kids = or
	}
	for _, kid := range kids {
		c.walk(kid)
	}
	if len(c.found) > before || len(c.found) >= maxErrors {
		return
	}
	switch {
	case len(and) > 1:
		c.group(n, and, false, "cannot both be true", "this can never be true")
	case len(or) > 1:
		c.group(n, or, true, "cannot both be false, so that this is always true", "this is always true")
	default:
		c.comparison(n)
	}
}

// comparison reports a comparison that has one outcome.
func (c *contradictionFinder) comparison(n ast.Node) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return
	}
	if _, understood := c.facts.comparison(b); !understood {
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
	var terms []term
	for _, part := range parts {
		terms = append(terms, term{part, opposite})
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
	s := &search{reader: &c.facts, left: maxBranches}
	return s.hold(terms, nil)
}

// search tries the combinations of alternatives.
type search struct {
	reader *factReader
	left   int
}

// hold reports whether the terms may hold beside the facts.
func (s *search) hold(terms []term, facts []fact) bool {
	if s.left--; s.left < 0 {
		return true
	}
	for len(terms) > 0 {
		t := terms[0]
		terms = terms[1:]
		switch n := t.node.(type) {
		case *ast.UnaryNode:
			if n.Operator == "!" || n.Operator == "not" {
				terms = append([]term{{n.Node, !t.not}}, terms...)
				continue
			}
		case *ast.BoolNode:
			if n.Value == t.not {
				return false
			}
			continue
		case *ast.ConditionalNode:
			return s.hold(append([]term{{n.Cond, false}, {n.Exp1, t.not}}, terms...), facts) ||
				s.hold(append([]term{{n.Cond, true}, {n.Exp2, t.not}}, terms...), facts)
		case *ast.BinaryNode:
			if n.Operator == "and" || n.Operator == "&&" || n.Operator == "or" || n.Operator == "||" {
				conjunction := (n.Operator == "and" || n.Operator == "&&") != t.not
				if conjunction {
					terms = append([]term{{n.Left, t.not}, {n.Right, t.not}}, terms...)
					continue
				}
				return s.hold(append([]term{{n.Left, t.not}}, terms...), facts) ||
					s.hold(append([]term{{n.Right, t.not}}, terms...), facts)
			}
		}
		f := s.reader.read(t)
		facts = append(slices.Clip(facts), f)
		if !consistent(facts, f.key) {
			return false
		}
	}
	return true
}

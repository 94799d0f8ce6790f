package expression

import (
	"fmt"
	"math"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// Limits of what an expression may cost. Both are for one unit of input: an
// expression's time is at most MaxSteps times the number of items in the lists
// that it reads, its largest value at most MaxGrowth times the longest text.
const (
	MaxSteps  = 1_000_000
	MaxGrowth = 1_000
	maxRange  = 10_000 // items of a..b
)

// admit refuses what type-checks and still must not run: operations that are
// not on the list, patterns that are not constant, and costs beyond the limits.
func admit(tree *parser.Tree, s *Scope) Errors {
	var found Errors
	each(tree.Node, func(n ast.Node) {
		if e := admitNode(n, s); e != nil && len(found) < maxErrors {
			found = append(found, e)
		}
	})
	if e := misplacedKnown(tree.Node); e != nil {
		found = append(found, e)
	}
	if len(found) > 0 {
		return found
	}
	c := costs{lets: map[string]cost{}}
	total := c.of(tree.Node)
	switch {
	case total.loops > 1:
		return Errors{at(c.worst.Location(), "a loop over a list of the event inside another one", "give one of the lists as constants, or use in")}
	case total.steps > MaxSteps:
		return Errors{at(tree.Node.Location(), fmt.Sprintf("the expression may take more than %d steps", MaxSteps), "a long list of values belongs into a list file: in_list(…)")}
	case c.largest > MaxGrowth:
		return Errors{at(tree.Node.Location(), fmt.Sprintf("the expression may build texts more than %d times as long as the event's", MaxGrowth), "")}
	}
	return nil
}

func admitNode(n ast.Node, s *Scope) *Error {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return admitBinary(n)
	case *ast.BuiltinNode:
		if _, ok := builtins[n.Name]; !ok {
			return at(n.Location(), fmt.Sprintf("%s cannot be used", n.Name), absent[n.Name])
		}
	case *ast.CallNode:
		return admitCall(n, s)
	case *ast.SequenceNode:
		return at(n.Location(), "only one expression can be given", "join conditions with and")
	case *ast.BytesNode:
		return at(n.Location(), "bytes cannot be used", "write text")
	}
	return nil
}

func admitBinary(n *ast.BinaryNode) *Error {
	switch n.Operator {
	case "matches":
		if _, ok := n.Right.(*ast.StringNode); !ok {
			return at(n.Right.Location(), "a regular expression must be a constant text", "put it in quotes; use contains for text from the event")
		}
	case "..":
		from, ok1 := n.Left.(*ast.IntegerNode)
		to, ok2 := n.Right.(*ast.IntegerNode)
		if !ok1 || !ok2 || to.Value-from.Value > maxRange {
			return at(n.Location(), fmt.Sprintf("a range needs constant ends at most %d apart", maxRange), "compare instead: a <= x and x <= b")
		}
	case "in":
		return mixedList(n)
	}
	return nil
}

// mixedList finds items of a constant list that can never be equal to what is
// looked for: expr-lang does not complain.
func mixedList(n *ast.BinaryNode) *Error {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return nil
	}
	left := fromNature(n.Left.Nature())
	for _, item := range list.Nodes {
		t := fromNature(item.Nature())
		number := (left.Kind == Int || left.Kind == Float) && (t.Kind == Int || t.Kind == Float)
		if left.Kind != Any && t.Kind != Any && left.Kind != t.Kind && !number {
			e := at(item.Location(), fmt.Sprintf("%s is %s, and %s in this list is %s", shorten(n.Left.String()), left, shorten(item.String()), t), "")
			if left.Kind == Text {
				e.Hint = "put it in quotes"
			}
			return e
		}
	}
	return nil
}

func admitCall(n *ast.CallNode, s *Scope) *Error {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return nil // a method, see methods
	}
	f, ok := FunctionNamed(callee.Value)
	if !ok || f.check == nil {
		return nil
	}
	args := make([]constant, len(n.Arguments))
	for i, arg := range n.Arguments {
		if text, ok := arg.(*ast.StringNode); ok {
			args[i] = constant{text.Value, true}
		}
	}
	if e := f.check(s, args); e != nil {
		return at(n.Arguments[min(e.arg, len(n.Arguments)-1)].Location(), e.message, e.hint)
	}
	return nil
}

// cost is what a part of an expression takes and gives.
type cost struct {
	steps  float64 // at most this many, for each item where loops is 1
	loops  int     // loops over lists of the event, inside each other
	size   float64 // of its value, in longest texts of the event
	length float64 // of its value if that is a constant list; 0: unknown
}

// costs walks a tree without running it.
type costs struct {
	lets    map[string]cost
	items   []cost // what # is, innermost last
	largest float64
	worst   ast.Node // the inner one of two loops
}

func (c *costs) of(n ast.Node) cost {
	got := c.visit(n)
	c.largest = math.Max(c.largest, got.size)
	return got
}

func (c *costs) visit(n ast.Node) cost {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		if let, ok := c.lets[n.Value]; ok {
			return cost{steps: 1, size: let.size, length: let.length}
		}
	case *ast.PointerNode:
		if len(c.items) > 0 {
			return cost{steps: 1, size: c.items[len(c.items)-1].size}
		}
	case *ast.VariableDeclaratorNode:
		value := c.of(n.Value)
		c.lets[n.Name] = value
		return together(value, c.of(n.Expr))
	case *ast.ArrayNode:
		all := c.sum(n.Nodes)
		all.length = float64(len(n.Nodes))
		return all
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.CallNode:
		all := c.sum(n.Arguments)
		all.steps += float64(len(n.Arguments))
		return all
	}
	all := cost{steps: 1}
	eachChild(n, func(kid ast.Node) { all = together(all, c.of(kid)) })
	all.size = math.Max(1, all.size)
	return all
}

func (c *costs) binary(n *ast.BinaryNode) cost {
	both := together(c.of(n.Left), c.of(n.Right))
	switch n.Operator {
	case "+":
		both.length = 0
	case "..":
		from, to := n.Left.(*ast.IntegerNode).Value, n.Right.(*ast.IntegerNode).Value
		both.length = float64(max(1, to-from+1))
		both.size = both.length / 64
	default:
		both.size = 1
	}
	return both
}

// builtin multiplies the cost of a loop's body by the length of its list.
func (c *costs) builtin(n *ast.BuiltinNode) cost {
	if len(n.Arguments) < 2 {
		return c.sum(n.Arguments)
	}
	body, isLoop := n.Arguments[1].(*ast.PredicateNode)
	list := c.of(n.Arguments[0])
	if !isLoop {
		return together(list, c.sum(n.Arguments[1:]))
	}
	c.items = append(c.items, cost{size: list.size})
	each := c.of(body.Node)
	c.items = c.items[:len(c.items)-1]
	out := cost{steps: list.steps + each.steps*math.Max(1, list.length), loops: max(list.loops, each.loops), size: math.Max(list.size, each.size)}
	if list.length == 0 {
		out.loops = max(list.loops, each.loops+1)
		if each.loops > 0 {
			c.worst = n
		}
	}
	if n.Name == "map" && list.length > 0 {
		out.size = each.size * list.length
		out.length = list.length
	}
	return out
}

func (c *costs) sum(nodes []ast.Node) cost {
	all := cost{steps: 1}
	for _, n := range nodes {
		all = together(all, c.of(n))
	}
	all.size = math.Max(1, all.size)
	return all
}

func together(a, b cost) cost {
	return cost{steps: a.steps + b.steps, loops: max(a.loops, b.loops), size: a.size + b.size}
}

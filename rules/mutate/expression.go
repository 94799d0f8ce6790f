package mutate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// change is another form of an expression.
type change struct {
	what  string
	forms []string // the first that the checker takes is used
}

// changesOf lists the changes of an expression, and the expression in the form in
// which they are written. Of an expression that cannot be parsed there are none.
func changesOf(source string) (as string, changes []change) {
	tree, err := parser.Parse(source)
	if err != nil {
		return source, nil
	}
	c := &changer{root: &tree.Node}
	c.visit(&tree.Node)
	return lines(tree.Node), c.found
}

type changer struct {
	root  *ast.Node
	found []change
}

// add notes the expression as it is now; undo gives it its old form back.
func (c *changer) add(what string, undo func()) {
	c.found = append(c.found, change{what, []string{lines(*c.root)}})
	undo()
}

// instead puts nodes in the place of one, in turn, as one change.
func (c *changer) instead(what string, at *ast.Node, nodes ...ast.Node) {
	old := *at
	ch := change{what: what}
	for _, n := range nodes {
		*at = n
		ch.forms = append(ch.forms, lines(*c.root))
	}
	*at = old
	c.found = append(c.found, ch)
}

func (c *changer) visit(at *ast.Node) {
	switch n := (*at).(type) {
	case *ast.BinaryNode:
		c.binary(at, n)
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			c.instead("negation removed from "+(*at).String(), at, n.Node)
		}
		c.visit(&n.Node)
	case *ast.CallNode:
		if predicates[n.Callee.String()] {
			c.instead((*at).String()+" negated", at, not(n))
		}
		c.visitAll(n.Arguments)
	case *ast.BuiltinNode:
		if predicates[n.Name] {
			c.instead((*at).String()+" negated", at, not(n))
		}
		c.visitAll(n.Arguments)
	case *ast.ConditionalNode:
		n.Exp1, n.Exp2 = n.Exp2, n.Exp1
		c.add("branches swapped", func() { n.Exp1, n.Exp2 = n.Exp2, n.Exp1 })
		c.visit(&n.Cond)
		c.visit(&n.Exp1)
		c.visit(&n.Exp2)
	case *ast.ArrayNode:
		c.list(n)
	default:
		c.literal(at)
	}
}

func (c *changer) visitAll(nodes []ast.Node) {
	for i := range nodes {
		c.visit(&nodes[i])
	}
}

// predicates are the functions that give true or false.
var predicates = map[string]bool{
	"any": true, "all": true, "none": true, "one": true, "hasPrefix": true, "hasSuffix": true,
	"icontains": true, "istartswith": true, "iendswith": true, "ieq": true, "iin": true, "iglob": true, "glob": true,
	"in_list": true, "cidr": true, "has": true, "known": true,
}

var opposite = map[string]string{
	"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
	"&&": "||", "||": "&&", "and": "or", "or": "and",
}

// neighbour is a comparison that differs at its bound only.
var neighbour = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

func (c *changer) binary(at *ast.Node, n *ast.BinaryNode) {
	text := n.String()
	for _, to := range []string{opposite[n.Operator], neighbour[n.Operator]} {
		if to == "" {
			continue
		}
		old := n.Operator
		n.Operator = to
		c.add(fmt.Sprintf("%s is %s in %s", old, to, text), func() { n.Operator = old })
	}
	switch n.Operator {
	case "&&", "||", "and", "or":
		c.instead(fmt.Sprintf("without %s", n.Left), at, n.Right)
		c.instead(fmt.Sprintf("without %s", n.Right), at, n.Left)
	case "in", "contains", "startsWith", "endsWith", "matches":
		c.instead(text+" negated", at, not(n))
	}
	c.visit(&n.Left)
	c.visit(&n.Right)
}

func not(n ast.Node) ast.Node { return &ast.UnaryNode{Operator: "not", Node: n} }

// list removes each item of a list; a list of one item has that changed.
func (c *changer) list(n *ast.ArrayNode) {
	if len(n.Nodes) < 2 {
		c.visitAll(n.Nodes)
		return
	}
	old := n.Nodes
	for i, item := range old {
		n.Nodes = slices.Delete(slices.Clone(old), i, i+1)
		c.add(fmt.Sprintf("without %s in a list", item), func() { n.Nodes = old })
	}
}

func (c *changer) literal(at *ast.Node) {
	switch n := (*at).(type) {
	case *ast.StringNode:
		var forms []ast.Node
		for _, text := range otherTexts(n.Value) {
			forms = append(forms, &ast.StringNode{Value: text})
		}
		c.instead(fmt.Sprintf("another text than %q", n.Value), at, forms...)
	case *ast.IntegerNode:
		c.instead(fmt.Sprintf("%d instead of %d", n.Value+1, n.Value), at, &ast.IntegerNode{Value: n.Value + 1})
	case *ast.FloatNode:
		c.instead(fmt.Sprintf("%v instead of %v", n.Value+1, n.Value), at, &ast.FloatNode{Value: n.Value + 1})
	case *ast.BoolNode:
		c.instead(fmt.Sprintf("%v instead of %v", !n.Value, n.Value), at, &ast.BoolNode{Value: !n.Value})
	}
}

var (
	durationText = regexp.MustCompile(`^[0-9]+(ms|s|m|h|d|w)$`)
	hashText     = regexp.MustCompile(`^([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	addressText  = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(/[0-9]+)?$`)
)

// otherTexts are texts that mean something else than a text, and are of its form.
func otherTexts(text string) []string {
	switch {
	case durationText.MatchString(text):
		return []string{"9" + text}
	case hashText.MatchString(text):
		last := byte('0')
		if text[len(text)-1] == last {
			last = '1'
		}
		return []string{text[:len(text)-1] + string(last)}
	case addressText.MatchString(text):
		address, bits, network := strings.Cut(text, "/")
		if network && address != "192.0.2.0" {
			return []string{"192.0.2.0/" + bits, "192.0.2.0/24"}
		}
		return []string{"192.0.2.77"}
	}
	return []string{text + "~", text + "x", "x" + text}
}

// lines is an expression with each part of its outermost and or or on a line of its
// own, for differences that can be read.
func lines(n ast.Node) string {
	b, ok := n.(*ast.BinaryNode)
	if !ok || !isConnective(b.Operator) {
		return n.String()
	}
	var parts []string
	for {
		right := b.Right.String()
		if r, ok := b.Right.(*ast.BinaryNode); ok && isConnective(r.Operator) {
			right = "(" + right + ")"
		}
		parts = append(parts, b.Operator+" "+right)
		left, ok := b.Left.(*ast.BinaryNode)
		if !ok || left.Operator != b.Operator {
			first := b.Left.String()
			if ok && isConnective(left.Operator) {
				first = "(" + first + ")"
			}
			parts = append(parts, first)
			slices.Reverse(parts)
			return strings.Join(parts, "\n")
		}
		b = left
	}
}

func isConnective(op string) bool { return op == "&&" || op == "||" || op == "and" || op == "or" }

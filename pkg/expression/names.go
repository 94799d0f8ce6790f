package expression

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"edrpipe/internal/nearest"
)

// checkNames reports every name and field that does not exist, and puts
// something of unknown type in its place so that the rest can be checked.
func (s *Scope) checkNames(tree *parser.Tree) Errors {
	v := &namesVisitor{scope: s, bound: boundNames(tree.Node), inner: innerNodes(tree.Node)}
	ast.Walk(&tree.Node, v)
	return v.found
}

type namesVisitor struct {
	scope *Scope
	bound map[string]bool   // by let
	inner map[ast.Node]bool // parts of a longer chain of members; callees
	found Errors
}

// Visit implements ast.Visitor.
func (v *namesVisitor) Visit(node *ast.Node) {
	if v.inner[*node] {
		return
	}
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if e := v.identifier(n); e != nil {
			v.reject(node, e)
		}
	case *ast.MemberNode:
		if e := v.member(n); e != nil {
			v.reject(node, e)
		}
	case *ast.CallNode:
		if e := v.call(n); e != nil {
			v.reject(node, e)
		}
	}
}

func (v *namesVisitor) reject(node *ast.Node, e *Error) {
	if len(v.found) < maxErrors {
		v.found = append(v.found, e)
	}
	unknown := &ast.ConstantNode{}
	unknown.SetLocation((*node).Location())
	*node = unknown
}

func (v *namesVisitor) identifier(n *ast.IdentifierNode) *Error {
	if v.bound[n.Value] || v.scope.named(n.Value) != nil {
		return nil
	}
	if n.Value == "$env" {
		return at(n.Location(), "$env cannot be used", "name the field")
	}
	if _, ok := FunctionNamed(n.Value); ok {
		return at(n.Location(), fmt.Sprintf("%s is a function", n.Value), fmt.Sprintf("call it: %s(…)", n.Value))
	}
	e := at(n.Location(), fmt.Sprintf("unknown name %q", n.Value), "")
	e.Hint = v.suggestName(n.Value)
	return e
}

func (v *namesVisitor) suggestName(name string) string {
	var known []string
	for _, f := range v.scope.Names() {
		known = append(known, f.Name)
	}
	if where, ok := elsewhere[name]; ok {
		return where
	}
	if near := nearest.Word(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if path := v.fieldAnywhere(name); path != "" {
		return fmt.Sprintf("did you mean %s?", path)
	}
	return "text needs quotes; names are " + strings.Join(known, ", ")
}

// elsewhere says where names of the rule language may be used that a scope does
// not have.
var elsewhere = map[string]string{
	"steps":      "results of steps are known to later steps only",
	"vars":       "variables are known after the condition: in steps, suppress and concurrency",
	"job":        "the job is known in steps only",
	"rule":       "the rule is known in steps only",
	"correlated": "it is known in the steps of a rule with correlate",
	"failed":     "it is known in on_failure only",
	"item":       "it is known in a step with foreach only",
	"i":          "it is known in a repeated event of a test only",
}

// fieldAnywhere finds a field that is named so but for case and underscores.
func (v *namesVisitor) fieldAnywhere(name string) string {
	loose := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for _, f := range v.scope.Names() {
		for _, inner := range f.Type.Fields {
			if loose(inner.Name) == loose(name) {
				return f.Name + "." + inner.Name
			}
		}
	}
	return ""
}

// member checks a chain like process.parent.name from its first name on.
func (v *namesVisitor) member(n *ast.MemberNode) *Error {
	chain := []*ast.MemberNode{n}
	base := n.Node
	for {
		inner, ok := base.(*ast.MemberNode)
		if !ok {
			break
		}
		chain = append(chain, inner)
		base = inner.Node
	}
	root, ok := base.(*ast.IdentifierNode)
	if !ok || v.bound[root.Value] {
		return nil // of a let, a call or an item: the type checker knows it
	}
	t := v.scope.named(root.Value)
	if t == nil {
		return v.identifier(root)
	}
	path := root.Value
	for _, link := range slices.Backward(chain) {
		name, ok := link.Property.(*ast.StringNode)
		if !ok || t.Kind != Object {
			return nil
		}
		f, ok := t.Field(name.Value)
		if !ok {
			e := at(link.Property.Location(), fmt.Sprintf("%s has no field %q", path, name.Value), v.suggestField(path, name.Value, t))
			return e
		}
		t, path = f.Type, path+"."+name.Value
	}
	return nil
}

func (v *namesVisitor) suggestField(path, name string, t *Type) string {
	if near := nearest.Word(name, t.Names()); near != "" {
		return fmt.Sprintf("did you mean %s.%s?", path, near)
	}
	if len(t.Fields) == 0 {
		return "it has none"
	}
	return fmt.Sprintf("%s has %s", path, strings.Join(t.Names(), ", "))
}

func (v *namesVisitor) call(n *ast.CallNode) *Error {
	switch callee := n.Callee.(type) {
	case *ast.IdentifierNode:
		if _, ok := FunctionNamed(callee.Value); ok {
			return nil
		}
		e := at(callee.Location(), fmt.Sprintf("unknown function %q", callee.Value), "")
		if instead, ok := absent[callee.Value]; ok {
			e.Message, e.Hint = fmt.Sprintf("%s cannot be used", callee.Value), instead
		} else if near := nearest.Word(callee.Value, functionNames()); near != "" {
			e.Hint = fmt.Sprintf("did you mean %s(…)?", near)
		}
		return e
	case *ast.MemberNode:
		if e := v.member(&ast.MemberNode{Node: callee.Node, Property: &ast.NilNode{}}); e != nil {
			return e
		}
		return v.method(callee)
	}
	return at(n.Location(), "this cannot be called", "")
}

// methods are those of times and durations that expressions may call.
var methods = []string{
	"After", "Before", "Day", "Equal", "Format", "Hour", "Hours", "Minute", "Minutes", "Month",
	"Second", "Seconds", "Sub", "UTC", "Unix", "UnixMilli", "Weekday", "Year", "YearDay", "String",
}

func (v *namesVisitor) method(n *ast.MemberNode) *Error {
	name, ok := n.Property.(*ast.StringNode)
	if !ok || slices.Contains(methods, name.Value) {
		return nil
	}
	e := at(name.Location(), fmt.Sprintf("there is no method %q", name.Value), "")
	switch near := nearest.Word(name.Value, methods); {
	case slices.Contains(operators, name.Value):
		e.Hint = fmt.Sprintf("write %s %s …", n.Node.String(), name.Value)
	case slices.Contains(functionNames(), name.Value):
		e.Hint = fmt.Sprintf("write %s(%s)", name.Value, n.Node.String())
	case near != "":
		e.Hint = fmt.Sprintf("did you mean %s?", near)
	}
	return e
}

func at(loc file.Location, message, hint string) *Error {
	return &Error{loc.From, max(1, loc.To-loc.From), message, hint}
}

// boundNames collects the names that let declares anywhere.
func boundNames(root ast.Node) map[string]bool {
	var bound map[string]bool
	each(root, func(n ast.Node) {
		if let, ok := n.(*ast.VariableDeclaratorNode); ok {
			if bound == nil {
				bound = map[string]bool{}
			}
			bound[let.Name] = true
		}
	})
	return bound
}

// innerNodes collects the nodes that are checked with the one around them.
func innerNodes(root ast.Node) map[ast.Node]bool {
	inner := map[ast.Node]bool{}
	each(root, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.MemberNode:
			switch n.Node.(type) {
			case *ast.MemberNode, *ast.IdentifierNode:
				inner[n.Node] = true
			}
		case *ast.CallNode:
			inner[n.Callee] = true
			if m, ok := n.Callee.(*ast.MemberNode); ok {
				switch m.Node.(type) {
				case *ast.MemberNode, *ast.IdentifierNode:
					inner[m.Node] = true
				}
			}
		}
	})
	return inner
}

// each calls f for every node of a tree, children first.
func each(root ast.Node, f func(ast.Node)) {
	ast.Walk(&root, visitorFunc(func(n *ast.Node) { f(*n) }))
}

type visitorFunc func(*ast.Node)

func (f visitorFunc) Visit(n *ast.Node) { f(n) }

// nodeAt finds the outermost node at a place.
func nodeAt(root ast.Node, loc file.Location) ast.Node {
	var found ast.Node
	each(root, func(n ast.Node) {
		if n.Location() == loc {
			found = n
		}
	})
	return found
}

// replace puts something of unknown type in the place of a node.
func replace(root *ast.Node, old ast.Node) bool {
	done := false
	ast.Walk(root, visitorFunc(func(n *ast.Node) {
		if *n == old && !done {
			unknown := &ast.ConstantNode{}
			unknown.SetLocation(old.Location())
			*n = unknown
			done = true
		}
	}))
	return done
}

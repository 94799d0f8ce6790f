package expression

import (
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"edrpipe/pkg/events"
)

// Clause is a part of a condition that can be told true or false by itself: all
// or some of other clauses, the opposite of one, or a comparison.
type Clause struct {
	Op   string // and, or, not; empty: a comparison
	Text string // as expr-lang prints it
	Kids []*Clause

	code   *vm.Program
	fields []fieldCode
	facts  events.Facts // that it reads
	asks   events.Facts // of known(fact), that fact
}

// fieldCode reads one field that a comparison names.
type fieldCode struct {
	name string
	code *vm.Program
}

// FieldValue is a field and what it was.
type FieldValue struct {
	Name  string
	Value any
}

// Outcome is what a clause was on one event.
type Outcome struct {
	Clause  *Clause
	Value   bool
	Skipped bool         // not evaluated: the clauses before it decided
	Err     error        // it could not be evaluated
	Missing events.Facts // it cannot be told: facts of the endpoint that are unknown
	Fields  []FieldValue // of a comparison: what it looked at
	Kids    []Outcome
}

// Clauses takes a condition apart: for explanations and tests, not for matching.
// The first call compiles the condition anew, later ones give the same answer.
func (p *Program) Clauses() (*Clause, error) {
	p.apart.Do(func() { p.clauses, p.apartErr = p.takeApart() })
	return p.clauses, p.apartErr
}

func (p *Program) takeApart() (*Clause, error) {
	s := p.scope
	s.language.mu.Lock()
	defer s.language.mu.Unlock()
	config := s.settings()
	config.Expect, config.ExpectAny = reflect.Bool, true
	tree, _, found := s.check(p.Source, BoolType, config)
	if len(found) > 0 {
		return nil, found
	}
	config.Expect = reflect.Invalid
	b := &clauseBuilder{scope: s, config: config, source: tree.Source}
	return b.clause(tree.Node, nil)
}

type clauseBuilder struct {
	scope  *Scope
	config *conf.Config
	source file.Source
}

// clause takes a node apart, which stands below the given variables.
func (b *clauseBuilder) clause(n ast.Node, lets []*ast.VariableDeclaratorNode) (*Clause, error) {
	switch n := n.(type) {
	case *ast.VariableDeclaratorNode:
		return b.clause(n.Expr, append(slices.Clone(lets), n))
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			return b.group("not", n, lets, n.Node)
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&":
			return b.group("and", n, lets, chained(nil, n, "and", "&&")...)
		case "or", "||":
			return b.group("or", n, lets, chained(nil, n, "or", "||")...)
		}
	}
	c := &Clause{Text: printed(n), facts: factsOf(n), asks: asksKnown(n)}
	for _, let := range lets {
		c.facts |= factsOf(let.Value)
	}
	var err error
	if c.code, err = b.generate(n, lets); err != nil {
		return nil, err
	}
	c.fields, err = b.fields(n, lets)
	return c, err
}

func (b *clauseBuilder) group(op string, n ast.Node, lets []*ast.VariableDeclaratorNode, kids ...ast.Node) (*Clause, error) {
	c := &Clause{Op: op, Text: printed(n)}
	for _, kid := range kids {
		k, err := b.clause(kid, lets)
		if err != nil {
			return nil, err
		}
		c.Kids = append(c.Kids, k)
		c.facts |= k.facts
	}
	return c, nil
}

// chained adds the sides of a row of the same operator to parts.
func chained(parts []ast.Node, n ast.Node, operators ...string) []ast.Node {
	b, ok := n.(*ast.BinaryNode)
	if !ok || !slices.Contains(operators, b.Operator) {
		return append(parts, n)
	}
	return chained(chained(parts, b.Left, operators...), b.Right, operators...)
}

// generate makes a program of a checked node.
func (b *clauseBuilder) generate(n ast.Node, lets []*ast.VariableDeclaratorNode) (*vm.Program, error) {
	for _, let := range slices.Backward(lets) {
		outer := &ast.VariableDeclaratorNode{Name: let.Name, Value: let.Value, Expr: n}
		outer.SetLocation(let.Location())
		outer.SetNature(*n.Nature())
		n = outer
	}
	return compiler.Compile(&parser.Tree{Node: n, Source: b.source}, b.config)
}

// fields finds the fields that a comparison names, outside of loops.
func (b *clauseBuilder) fields(n ast.Node, lets []*ast.VariableDeclaratorNode) ([]fieldCode, error) {
	inner := map[ast.Node]bool{}
	each(n, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.MemberNode:
			inner[n.Node] = true
		case *ast.ChainNode:
			inner[n.Node] = true
		case *ast.CallNode:
			inner[n.Callee] = true
		}
	})
	bound := map[string]bool{}
	for _, let := range lets {
		bound[let.Name] = true
	}
	var fields []fieldCode
	var err error
	each(n, func(n ast.Node) {
		root, ok := rootOf(unchained(n))
		if !ok || inner[n] || err != nil || b.scope.typeOf(root) == nil && !bound[root.Value] || dynamic(n) {
			return
		}
		name := printed(n)
		if slices.ContainsFunc(fields, func(f fieldCode) bool { return f.name == name }) {
			return
		}
		var code *vm.Program
		if code, err = b.generate(n, lets); err == nil {
			fields = append(fields, fieldCode{name, code})
		}
	})
	return fields, err
}

// printed is a node as its author may have written it: members of untyped values
// are made optional without being asked, see makeOptional.
func printed(n ast.Node) string { return strings.ReplaceAll(n.String(), "?.", ".") }

func unchained(n ast.Node) ast.Node {
	if chain, ok := n.(*ast.ChainNode); ok {
		return chain.Node
	}
	return n
}

// dynamic reports whether a member depends on the item of a loop.
func dynamic(n ast.Node) bool {
	found := false
	each(n, func(n ast.Node) {
		if _, ok := n.(*ast.PointerNode); ok {
			found = true
		}
	})
	return found
}

// Eval evaluates the clause and those in it, in order, as far as they decide.
func (c *Clause) Eval(env any) Outcome {
	o := Outcome{Clause: c}
	switch c.Op {
	case "":
		c.compare(env, &o)
	case "not":
		kid := c.Kids[0].Eval(env)
		o.Kids, o.Value, o.Err = []Outcome{kid}, !kid.Value, kid.Err
	default:
		decided := false
		o.Value = c.Op == "and"
		for _, k := range c.Kids {
			if decided {
				o.Kids = append(o.Kids, Outcome{Clause: k, Skipped: true})
				continue
			}
			kid := k.Eval(env)
			o.Kids = append(o.Kids, kid)
			o.Err = kid.Err
			o.Value = kid.Value
			decided = kid.Err != nil || kid.Value == (c.Op == "or")
		}
	}
	if o.Err != nil {
		o.Value = false
	}
	return o
}

func (c *Clause) compare(env any, o *Outcome) {
	out, err := vm.Run(c.code, env)
	if err != nil {
		o.Err = evalError(c.Text, err)
	}
	o.Value, _ = out.(bool)
	for _, f := range c.fields {
		if v, err := vm.Run(f.code, env); err == nil {
			o.Fields = append(o.Fields, FieldValue{f.name, v})
		}
	}
}

// Leaves lists the comparisons, in the order written.
func (c *Clause) Leaves() []*Clause {
	if c.Op == "" {
		return []*Clause{c}
	}
	var all []*Clause
	for _, k := range c.Kids {
		all = append(all, k.Leaves()...)
	}
	return all
}

// Leaves lists the outcomes of the comparisons, in the order written; those that
// were not reached are skipped.
func (o Outcome) Leaves() []Outcome {
	switch {
	case o.Clause.Op == "":
		return []Outcome{o}
	case o.Skipped:
		var all []Outcome
		for _, c := range o.Clause.Leaves() {
			all = append(all, Outcome{Clause: c, Skipped: true})
		}
		return all
	}
	var all []Outcome
	for _, k := range o.Kids {
		all = append(all, k.Leaves()...)
	}
	return all
}

// Blame lists the comparisons that made the outcome what it is: of one that is
// false the false ones that count, of one that is true the true ones, of one that
// cannot be told those that cannot.
func (o Outcome) Blame() []Outcome {
	if o.Clause.Op == "" || o.Err != nil && len(o.Kids) == 0 {
		return []Outcome{o}
	}
	var all []Outcome
	for _, k := range o.Kids {
		if o.Missing != 0 {
			if k.Missing != 0 {
				all = append(all, k.Blame()...)
			}
			continue
		}
		wanted := o.Value
		if o.Clause.Op == "not" {
			wanted = !o.Value
		}
		if !k.Skipped && (k.Value == wanted || k.Err != nil) {
			all = append(all, k.Blame()...)
		}
	}
	return all
}

// Constant reports whether a comparison reads nothing and so has one outcome.
func (c *Clause) Constant() bool { return c.Op == "" && len(c.fields) == 0 }

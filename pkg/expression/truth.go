package expression

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"edrpipe/pkg/events"
)

// Truth is the value of a condition that reads facts of an endpoint. Such facts may be
// unknown, and then the condition may be.
type Truth int8

// The three values.
const (
	False Truth = iota
	True
	Unknown
)

func (t Truth) String() string { return [...]string{"false", "true", "unknown"}[t] }

// TruthOf is a condition that was evaluated in two values.
func TruthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Facts lists the facts of the endpoint that the program reads: all of them where it
// reads the sensor whole. known(…) counts as reading.
func (p *Program) Facts() events.Facts { return p.facts }

// Truth evaluates a condition of which some facts may be unknown, clause by clause in
// Kleene's logic: unknown && false is false, unknown || true is true, and a comparison
// that reads an unknown fact is unknown. missing are the facts that the result hangs
// on, where it is Unknown. An error behind an unknown clause is not one: whether the
// clause would have been reached cannot be told.
//
// A condition that reads no unknown fact is evaluated as by Bool, at the same price.
//
// What the caller makes of Unknown depends on what the condition is for: a guard or
// an approval counts as if it applied, a step that changes something is held, "when"
// is no match.
func (p *Program) Truth(env any, unknown events.Facts) (result Truth, missing events.Facts, err error) {
	if p.facts&unknown == 0 {
		b, err := p.Bool(env)
		return TruthOf(b), 0, err
	}
	c, err := p.Clauses()
	if err != nil {
		return Unknown, 0, err
	}
	o := c.EvalKnowing(env, unknown)
	switch {
	case o.Err != nil:
		return False, 0, o.Err
	case o.Missing != 0:
		return Unknown, o.Missing, nil
	}
	return TruthOf(o.Value), 0, nil
}

// EvalKnowing is Eval where some facts of the endpoint are unknown: see Outcome.Missing.
func (c *Clause) EvalKnowing(env any, unknown events.Facts) Outcome {
	switch {
	case c.facts&unknown == 0:
		return c.Eval(env)
	case c.asks != 0: // known(fact)
		return Outcome{Clause: c, Value: c.asks&unknown == 0}
	case c.Op == "":
		return Outcome{Clause: c, Missing: c.facts & unknown}
	case c.Op == "not":
		kid := c.Kids[0].EvalKnowing(env, unknown)
		return Outcome{Clause: c, Kids: []Outcome{kid}, Value: kid.Missing == 0 && kid.Err == nil && !kid.Value, Err: kid.Err, Missing: kid.Missing}
	}
	return c.kleene(env, unknown)
}

// kleene evaluates the sides of "and" and "or" until one decides.
func (c *Clause) kleene(env any, unknown events.Facts) Outcome {
	o := Outcome{Clause: c}
	deciding := c.Op == "or"
	for i, k := range c.Kids {
		kid := k.EvalKnowing(env, unknown)
		o.Kids = append(o.Kids, kid)
		switch {
		case kid.Err != nil && o.Missing == 0:
			o.Err = kid.Err
		case kid.Err != nil, kid.Missing != 0:
			o.Missing |= kid.Missing
			continue
		case kid.Value == deciding:
			o.Value, o.Missing = deciding, 0
		default:
			continue
		}
		for _, rest := range c.Kids[i+1:] {
			o.Kids = append(o.Kids, Outcome{Clause: rest, Skipped: true})
		}
		return o
	}
	o.Value = o.Missing == 0 && !deciding
	return o
}

// factsOf lists the facts that a tree reads.
func factsOf(root ast.Node) events.Facts {
	var all events.Facts
	inner := map[ast.Node]bool{}
	each(root, func(n ast.Node) {
		m, ok := n.(*ast.MemberNode)
		if !ok || wholeFacts(m.Node) == 0 {
			return
		}
		inner[unchained(m.Node)] = true
		name, ok := m.Property.(*ast.StringNode)
		if !ok { // sensor[…]: which one depends on the event
			all |= wholeFacts(m.Node)
			return
		}
		part := unchained(m.Node).(*ast.IdentifierNode).Value
		if fact, ok := events.FactOf(part + "." + name.Value); ok {
			all |= fact
		}
	})
	each(root, func(n ast.Node) {
		if !inner[n] {
			if _, chain := n.(*ast.ChainNode); !chain {
				all |= wholeFacts(n)
			}
		}
	})
	return all
}

// wholeFacts are the facts of a part of the event that is read whole.
func wholeFacts(n ast.Node) events.Facts {
	id, ok := unchained(n).(*ast.IdentifierNode)
	switch {
	case ok && id.Value == "sensor":
		return events.AllFacts
	case ok && id.Value == "image":
		return events.FactImage
	}
	return 0
}

// asksKnown returns the fact that known(…) asks for, where n is such a call.
func asksKnown(n ast.Node) events.Facts {
	call, ok := n.(*ast.CallNode)
	if !ok || len(call.Arguments) != 1 {
		return 0
	}
	if callee, ok := call.Callee.(*ast.IdentifierNode); !ok || callee.Value != "known" {
		return 0
	}
	return factsOf(call.Arguments[0])
}

// misplacedKnown finds known(…) where its answer could not be taken clause by clause,
// or of something that is no fact.
func misplacedKnown(root ast.Node) *Error {
	clauses := map[ast.Node]bool{}
	markClauses(root, clauses)
	var found *Error
	each(root, func(n ast.Node) {
		call, ok := n.(*ast.CallNode)
		if !ok || found != nil {
			return
		}
		callee, ok := call.Callee.(*ast.IdentifierNode)
		switch {
		case !ok || callee.Value != "known":
		case asksKnown(n) == 0 || asksKnown(n) == events.AllFacts:
			found = at(n.Location(), fmt.Sprintf("known(…) is for facts of the endpoint, and the image's: %s", events.AllFacts|events.FactImage), "of fields that events carry, use has(…)")
		case !clauses[n]:
			found = at(n.Location(), "known(…) stands by itself, joined with and, or, not", "write it as a clause: known(sensor.type) && …")
		}
	})
	return found
}

func markClauses(n ast.Node, into map[ast.Node]bool) {
	switch n := n.(type) {
	case *ast.VariableDeclaratorNode:
		markClauses(n.Expr, into)
		return
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			markClauses(n.Node, into)
			return
		}
	case *ast.BinaryNode:
		switch n.Operator {
		case "and", "&&", "or", "||":
			markClauses(n.Left, into)
			markClauses(n.Right, into)
			return
		}
	}
	into[n] = true
}

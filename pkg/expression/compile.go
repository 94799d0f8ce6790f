package expression

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/checker/nature"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"edrpipe/pkg/events"
)

// Limits of an expression.
const (
	MaxSource = 64 << 10 // bytes of source
	MaxNodes  = 10_000   // nodes of its tree
	maxErrors = 20       // reported for one expression
)

// Program is a compiled expression. It is immutable and safe for concurrent
// use.
type Program struct {
	Source string
	scope  *Scope
	typ    *Type
	fields []FieldRead
	facts  events.Facts
	code   *vm.Program
	pool   sync.Pool // of *vm.VM

	apart    sync.Once // guards what follows, see Clauses
	clauses  *Clause
	apartErr error
}

// Condition compiles an expression that must be true or false. The error, if
// any, is of type Errors.
func (s *Scope) Condition(source string) (*Program, error) {
	return s.compile(source, BoolType)
}

// Value compiles an expression of any type. The error, if any, is of type
// Errors.
func (s *Scope) Value(source string) (*Program, error) {
	return s.compile(source, nil)
}

// ValueOf compiles an expression that must give what want takes.
func (s *Scope) ValueOf(source string, want *Type) (*Program, error) {
	return s.compile(source, want)
}

func (s *Scope) compile(source string, want *Type) (*Program, error) {
	if err := admitSource(source); err != nil {
		return nil, Errors{err}
	}
	if p := s.memo.recall(s, source, want); p != nil && len(s.lacking(p.fields)) == 0 {
		return p, nil
	}
	s.language.mu.Lock()
	defer s.language.mu.Unlock()
	config := s.settings()
	config.Expect = reflect.Invalid
	if want == BoolType {
		config.Expect = reflect.Bool
	}
	config.ExpectAny = true
	tree, fields, found := s.check(source, want, config)
	if len(found) > 0 {
		return nil, found
	}
	result := fromNature(tree.Node.Nature())
	names := s.memo.names(s, tree.Node)
	facts := factsOf(tree.Node)
	code, err := generate(tree, config)
	if err != nil {
		return nil, Errors{translate(source, err)}
	}
	p := &Program{Source: source, scope: s, typ: result, fields: fields, facts: facts, code: code}
	s.memo.keep(p, want, names)
	return p, nil
}

// check parses the source, lists the fields that it reads, and reports everything
// wrong with it.
func (s *Scope) check(source string, want *Type, config *conf.Config) (*parser.Tree, []FieldRead, Errors) {
	tree, err := parser.ParseWithConfig(source, config)
	if err != nil {
		return nil, nil, Errors{translate(source, err)}
	}
	fields := s.fieldsOf(tree.Node)
	s.declare(tree, config)
	found := append(s.checkNames(tree), s.lacking(fields)...)
	makeOptional(tree, s)
	found = append(found, checkTypes(tree, source, config)...)
	if len(found) > 0 {
		return nil, nil, found
	}
	found = append(found, admit(tree, s)...)
	if len(found) == 0 && !s.lenient {
		lets := letsOf(tree.Node)
		if found = s.literals(tree, lets); len(found) == 0 {
			found = s.contradictions(tree, lets)
		}
	}
	if got := fromNature(tree.Node.Nature()); want != nil && len(found) == 0 {
		if e := unwanted(tree.Node, source, want, got); e != nil {
			found = append(found, e)
		}
	}
	return tree, fields, found
}

// checkTypes runs expr-lang's checker, which stops at the first mistake, until
// it has told all: what it complains of is replaced by something of unknown
// type.
func checkTypes(tree *parser.Tree, source string, config *conf.Config) Errors {
	expect := config.Expect
	config.Expect = reflect.Invalid // judged by unwanted, with a place
	defer func() { config.Expect = expect }()
	var found Errors
	for range maxErrors {
		_, err := checker.Check(tree, config)
		if err == nil {
			return found
		}
		var placed *file.Error
		if !errors.As(err, &placed) {
			return append(found, translate(source, err))
		}
		node := nodeAt(tree.Node, placed.Location)
		found = append(found, explainType(source, placed, node))
		if node == nil || !replace(&tree.Node, node) {
			return found
		}
		forgetTypes(tree.Node)
	}
	return found
}

// forgetTypes makes the checker look into calls again: it skips those that have
// a type already.
func forgetTypes(root ast.Node) {
	each(root, func(n ast.Node) {
		if call, ok := n.(*ast.CallNode); ok {
			call.SetNature(nature.Nature{})
		}
	})
}

// unwanted is the mistake of giving another type than wanted; nil if got fits.
func unwanted(root ast.Node, source string, want, got *Type) *Error {
	if want.Kind == Bool && got.Kind == Any {
		return &Error{0, max(1, utf8.RuneCountInString(source)), "a condition must be true or false, and this can be anything", "compare it with something: … == true"}
	}
	if want.Takes(got) {
		return nil
	}
	e := &Error{Offset: 0, Length: max(1, utf8.RuneCountInString(strings.TrimRight(source, " \n"))), Message: fmt.Sprintf("this is %s, but must be %s", got, want)}
	if want.Kind == Bool {
		e.Message = fmt.Sprintf("a condition must be true or false, and this is %s", got)
		e.Hint = boolHint(root, got)
	}
	return e
}

func boolHint(root ast.Node, got *Type) string {
	switch got.Kind {
	case Text:
		return fmt.Sprintf(`compare it: %s != ""`, shorten(root.String()))
	case Int, Float:
		return fmt.Sprintf(`compare it: %s != 0`, shorten(root.String()))
	}
	return ""
}

func generate(tree *parser.Tree, config *conf.Config) (code *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, err
	}
	return compiler.Compile(tree, config)
}

// admitSource refuses sources that are too large to look at: deep nesting can
// exhaust the parser's stack only in megabytes.
func admitSource(source string) *Error {
	if strings.TrimSpace(source) == "" {
		return &Error{0, 1, "the expression is empty", ""}
	}
	if len(source) > MaxSource {
		return &Error{0, 1, fmt.Sprintf("the expression has %d KiB, the limit is %d", len(source)>>10, MaxSource>>10), ""}
	}
	return nil
}

// Type is the type of the program's result.
func (p *Program) Type() *Type { return p.typ }

// Node is the tree that the program was generated from: checked, patched and
// optimised. It must not be changed.
func (p *Program) Node() ast.Node { return p.code.Node() }

// Reads reports whether the program uses a top-level name, such as raw.
func (p *Program) Reads(name string) bool {
	found := false
	each(p.Node(), func(n ast.Node) {
		if id, ok := n.(*ast.IdentifierNode); ok && id.Value == name {
			found = true
		}
	})
	return found
}

// Eval runs the program on an environment: *events.Event for programs of
// EventScope, a map from Env for others. The error, if any, is an *EvalError.
func (p *Program) Eval(env any) (any, error) {
	machine, _ := p.pool.Get().(*vm.VM)
	if machine == nil {
		machine = &vm.VM{}
	}
	out, err := machine.Run(p.code, env)
	if err != nil {
		return nil, evalError(p.Source, err) // the machine may be in any state: not put back
	}
	p.pool.Put(machine)
	return out, nil
}

// Bool runs a condition.
func (p *Program) Bool(env any) (bool, error) {
	out, err := p.Eval(env)
	if err != nil {
		return false, err
	}
	b, ok := out.(bool)
	if !ok {
		return false, &EvalError{Source: p.Source, Offset: -1, Message: fmt.Sprintf("the result is %v, not true or false", out)}
	}
	return b, nil
}

package expression

import (
	"fmt"
	"strings"
)

// Error is a mistake in an expression or template.
type Error struct {
	Offset  int    // of the place in the source, in characters from 0
	Length  int    // of the place, in characters; at least 1
	Message string // what is wrong
	Hint    string // what to do, often: did you mean
}

func (e *Error) Error() string {
	s := fmt.Sprintf("at character %d: %s", e.Offset+1, e.Message)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errors is every mistake in an expression; it is what compiling returns.
type Errors []*Error

func (es Errors) Error() string {
	texts := make([]string, len(es))
	for i, e := range es {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// shift moves errors of a part to where the part stands in the whole.
func (es Errors) shift(by int) Errors {
	for _, e := range es {
		e.Offset += by
	}
	return es
}

// EvalError is an expression that compiled and then failed on an event.
type EvalError struct {
	Source  string // the expression
	Offset  int    // in characters from 0; -1 where unknown
	Message string
	Cause   error
}

func (e *EvalError) Error() string {
	return fmt.Sprintf("evaluating %s: %s", shorten(e.Source), e.Message)
}

// Unwrap returns what the evaluation failed with.
func (e *EvalError) Unwrap() error { return e.Cause }

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

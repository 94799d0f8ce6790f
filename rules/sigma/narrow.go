package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// lacking refuses a field that the events do not have.
type lacking struct{ field, kind string }

func (l *lacking) Error() string {
	return fmt.Sprintf("field %s is not in the EDR's %s events", l.field, l.kind)
}

// leaveOut reports whether an operand of op that failed may be left out: the whole then
// matches less, never more. That holds for an alternative, and under a not for one of
// several that must all hold. It must only lack a field.
func (d *detection) leaveOut(op string, err error) bool {
	var l *lacking
	if !d.narrow || !errors.As(err, &l) || (op == "||") == d.negated {
		return false
	}
	if what := l.field; !slices.Contains(d.dropped, what) {
		d.dropped = append(d.dropped, what)
	}
	return true
}

// operands joins the operands of op, n of them; those that may be left out are. One at
// least must be left.
func (d *detection) operands(op string, n int, operand func(i int) (string, error)) (string, error) {
	var parts []string
	var last error
	for i := range n {
		p, err := operand(i)
		switch {
		case err != nil && d.leaveOut(op, err):
			last = err
		case err != nil:
			return "", err
		default:
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 && last != nil {
		return "", last
	}
	return joined(op, parts), nil
}

// afterOperand is the tokens behind the first operand of op.
func afterOperand(tokens []string, op string) []string {
	depth := 0
	for i, t := range tokens {
		word := strings.ToLower(t)
		switch {
		case word == "(":
			depth++
		case word == ")" && depth > 0:
			depth--
		case depth == 0 && (word == ")" || word == "or" || word == "and" && op == "&&"):
			return tokens[i:]
		}
	}
	return nil
}

package sigma

import (
	"maps"
	"slices"

	"edrpipe/pkg/expression"
)

// Check compiles the rule's condition, which may be beyond the limits of expressions.
func (r *Rule) Check() error {
	_, err := expression.EventScope().WithLists(listNames(r.Lists)).Condition(r.When)
	return err
}

// listNames are lists of which only the names count.
type listNames map[string][]string

// Has implements expression.Lists.
func (n listNames) Has(string, string) bool { return false }

// Names implements expression.Lists.
func (n listNames) Names() []string { return slices.Sorted(maps.Keys(n)) }

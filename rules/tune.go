package rules

import (
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Tuning measures exceptions of one rule over past events: what each would have removed
// from its matches. Correlation and suppression are not looked at.
type Tuning struct {
	rule       *Compiled
	matches    int
	exceptions []*exception
}

// Exception is a condition that would be excluded from a rule, and what that would remove.
type Exception struct {
	When    string   `json:"when"`    // true of the false positive
	Removed int      `json:"removed"` // matches for which it is true
	Hosts   []string `json:"hosts"`   // of those, each once, in the order of their events
}

type exception struct {
	Exception
	code *expression.Program
}

// NewTuning compiles the exceptions. One that is not true of the false positive is left
// out; an event that the rule does not match is an error.
func NewTuning(r *Compiled, falsePositive *events.Event, when []string) (*Tuning, error) {
	x := r.Explain(falsePositive)
	if !x.Named || !x.Holds {
		return nil, fmt.Errorf("rule %s does not match event %s: %s", r.ID, falsePositive.Event.ID, strings.Join(x.Reasons(), "; "))
	}
	t := &Tuning{rule: r}
	for _, source := range when {
		code, err := expression.EventScope().Condition(source)
		if err != nil {
			return nil, fmt.Errorf("exception %s: %w", source, err)
		}
		if holds, err := code.Bool(falsePositive); err == nil && holds {
			t.exceptions = append(t.exceptions, &exception{Exception: Exception{When: source}, code: code})
		}
	}
	return t, nil
}

// Event counts the next event.
func (t *Tuning) Event(e *events.Event) {
	if x := t.rule.Explain(e); !x.Named || !x.Holds {
		return
	}
	t.matches++
	for _, ex := range t.exceptions {
		if holds, err := ex.code.Bool(e); err != nil || !holds {
			continue
		}
		ex.Removed++
		if host := e.Sensor.Hostname; host != "" && !slices.Contains(ex.Hosts, host) {
			ex.Hosts = append(ex.Hosts, host)
		}
	}
}

// Matches is how many events the rule matched.
func (t *Tuning) Matches() int { return t.matches }

// Exceptions are those that would remove the fewest matches first.
func (t *Tuning) Exceptions() []Exception {
	all := make([]Exception, len(t.exceptions))
	for i, ex := range t.exceptions {
		all[i] = ex.Exception
	}
	slices.SortStableFunc(all, func(a, b Exception) int { return a.Removed - b.Removed })
	return all
}

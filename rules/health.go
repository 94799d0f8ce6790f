package rules

import (
	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// Health finds rules, and clauses of their conditions, that past events never satisfied.
// Each condition is evaluated whole on each event that its rule names: about ten times
// the price of matching.
type Health struct {
	rules  []*ruleHealth
	events int
}

// RuleHealth is what a rule was like over the events.
type RuleHealth struct {
	Rule       string         `json:"rule"`
	Mode       Mode           `json:"mode"`
	Enabled    bool           `json:"enabled"`
	Candidates int            `json:"candidates"` // events that "on" names
	Matches    int            `json:"matches"`    // of them, the condition was true; correlation and suppression come later
	Failed     int            `json:"failed,omitempty"`
	Unknown    int            `json:"unknown,omitempty"` // of them, the condition hangs on a fact of the endpoint that was unknown
	Clauses    []ClauseHealth `json:"clauses,omitempty"`
}

// ClauseHealth is one comparison of a condition.
type ClauseHealth struct {
	Text    string `json:"text"`
	Negated bool   `json:"negated,omitempty"` // it stands under a not, and has to be false
	Reached int    `json:"reached"`           // how often it was evaluated; the comparisons before it may decide
	Held    int    `json:"held"`              // of those, it was as the rule needs it
}

// Dead reports whether the comparison kept the rule from acting or never played a part:
// events were there, and it never held.
func (c ClauseHealth) Dead() bool { return c.Held == 0 }

type ruleHealth struct {
	rule *Compiled
	RuleHealth
}

// NewHealth is that of no events.
func NewHealth(set *Set) *Health {
	h := &Health{}
	for _, r := range set.rules {
		rh := &ruleHealth{rule: r, RuleHealth: RuleHealth{Rule: r.ID, Mode: r.Mode, Enabled: r.Enabled}}
		if clauses, err := r.clauses(); err == nil && clauses != nil {
			rh.Clauses = comparisons(clauses, false)
		}
		h.rules = append(h.rules, rh)
	}
	return h
}

// comparisons are those of a condition, in the order of its Leaves.
func comparisons(c *expression.Clause, negated bool) []ClauseHealth {
	if c.Op == "" {
		return []ClauseHealth{{Text: c.Text, Negated: negated}}
	}
	var all []ClauseHealth
	for _, k := range c.Kids {
		all = append(all, comparisons(k, negated != (c.Op == "not"))...)
	}
	return all
}

// Event counts the next event.
func (h *Health) Event(e *events.Event) {
	h.events++
	for _, r := range h.rules {
		if r.Enabled && r.rule.Names(e) {
			r.count(r.rule.Explain(e))
		}
	}
}

func (r *ruleHealth) count(x *Explanation) {
	r.Candidates++
	switch {
	case x.Err != nil:
		r.Failed++
	case x.Condition != nil && x.Condition.Missing != 0:
		r.Unknown++
	case x.Holds:
		r.Matches++
	}
	if x.Condition == nil {
		return
	}
	for i, leaf := range x.Condition.Leaves() {
		if leaf.Skipped || leaf.Err != nil || leaf.Missing != 0 || i >= len(r.Clauses) {
			continue
		}
		r.Clauses[i].Reached++
		if leaf.Value != r.Clauses[i].Negated {
			r.Clauses[i].Held++
		}
	}
}

// Events is how many there were.
func (h *Health) Events() int { return h.events }

// Rules are all rules of the set, in its order.
func (h *Health) Rules() []RuleHealth {
	all := make([]RuleHealth, len(h.rules))
	for i, r := range h.rules {
		all[i] = r.RuleHealth
	}
	return all
}

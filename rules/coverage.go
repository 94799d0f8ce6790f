package rules

import (
	"fmt"
	"strings"

	"edrpipe/pkg/actions"
)

// Coverage is what tests have shown of the rules of a set: for each comparison
// of each condition (each arm of its ands and ors) whether it was seen true and
// false, and for each step whether it ran.
type Coverage struct {
	rules []*ruleCoverage
	byID  map[string]*ruleCoverage
}

type ruleCoverage struct {
	rule  *Rule
	arms  []*arm
	steps []actions.Step
	ran   map[string]bool
}

// arm is one comparison of a condition.
type arm struct {
	text              string
	constant          bool // reads nothing: can have one outcome only
	wasTrue, wasFalse bool
}

// NewCoverage is that of no tests.
func NewCoverage(set *Set) *Coverage {
	c := &Coverage{byID: map[string]*ruleCoverage{}}
	for _, r := range set.rules {
		rc := &ruleCoverage{rule: r.Rule, ran: map[string]bool{}, steps: leafSteps(append(r.Steps[:len(r.Steps):len(r.Steps)], r.OnFailure...))}
		if clauses, err := r.clauses(); err == nil && clauses != nil {
			for _, leaf := range clauses.Leaves() {
				rc.arms = append(rc.arms, &arm{text: leaf.Text, constant: leaf.Constant()})
			}
		}
		c.rules = append(c.rules, rc)
		c.byID[r.ID] = rc
	}
	return c
}

// leafSteps lists the steps that have an action.
func leafSteps(steps []actions.Step) []actions.Step {
	var all []actions.Step
	for _, s := range steps {
		if len(s.Parallel) > 0 {
			all = append(all, leafSteps(s.Parallel)...)
			continue
		}
		all = append(all, s)
	}
	return all
}

// Add counts what a test has shown.
func (c *Coverage) Add(result *TestResult) {
	rc, ok := c.byID[result.Test.Rule]
	if !ok {
		return
	}
	for _, e := range result.Events {
		if e.Condition == nil {
			continue
		}
		for i, leaf := range e.Condition.Leaves() {
			if leaf.Skipped || leaf.Err != nil || i >= len(rc.arms) {
				continue
			}
			rc.arms[i].wasTrue = rc.arms[i].wasTrue || leaf.Value
			rc.arms[i].wasFalse = rc.arms[i].wasFalse || !leaf.Value
		}
	}
	for _, ran := range result.Ran {
		rc.ran[ran.Step] = true
	}
}

// count gives how much there is to show and how much was shown.
func (rc *ruleCoverage) count() (shown, all int) {
	for _, a := range rc.arms {
		switch {
		case a.constant:
			all++
			shown += tally(a.wasTrue || a.wasFalse)
		default:
			all += 2
			shown += tally(a.wasTrue) + tally(a.wasFalse)
		}
	}
	for _, s := range rc.steps {
		all++
		shown += tally(rc.ran[s.ID])
	}
	return shown, all
}

func tally(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Percent is how much of all rules was shown, from 0 to 100.
func (c *Coverage) Percent() float64 {
	shown, all := 0, 0
	for _, rc := range c.rules {
		s, a := rc.count()
		shown, all = shown+s, all+a
	}
	if all == 0 {
		return 100
	}
	return 100 * float64(shown) / float64(all)
}

// RuleCoverage is the coverage of one rule.
type RuleCoverage struct {
	Rule    string   `json:"rule"`
	Percent float64  `json:"percent"`
	Gaps    []string `json:"gaps,omitempty"` // what no test has shown
}

// Rules gives the coverage of each rule.
func (c *Coverage) Rules() []RuleCoverage {
	var all []RuleCoverage
	for _, rc := range c.rules {
		shown, total := rc.count()
		percent := 100.0
		if total > 0 {
			percent = 100 * float64(shown) / float64(total)
		}
		all = append(all, RuleCoverage{rc.rule.ID, percent, rc.gaps()})
	}
	return all
}

func (rc *ruleCoverage) gaps() []string {
	var gaps []string
	for _, a := range rc.arms {
		switch {
		case a.constant && !a.wasTrue && !a.wasFalse, !a.wasTrue && !a.wasFalse:
			gaps = append(gaps, fmt.Sprintf("never asked: %s", a.text))
		case !a.wasTrue && !a.constant:
			gaps = append(gaps, fmt.Sprintf("never true: %s", a.text))
		case !a.wasFalse && !a.constant:
			gaps = append(gaps, fmt.Sprintf("never false: %s", a.text))
		}
	}
	for _, s := range rc.steps {
		if !rc.ran[s.ID] {
			gaps = append(gaps, fmt.Sprintf("never ran: step %s", s.ID))
		}
	}
	return gaps
}

// Gaps lists what no test has shown, a line each.
func (c *Coverage) Gaps() string {
	var b strings.Builder
	for _, r := range c.Rules() {
		for _, gap := range r.Gaps {
			fmt.Fprintf(&b, "%s: %s\n", r.Rule, gap)
		}
	}
	return b.String()
}

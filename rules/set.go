package rules

import (
	"slices"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/expression"
	"edrpipe/rules/index"
)

// Compiled is a rule with its expressions compiled, as loading makes it.
// Conditions run on *events.Event; the others on expression.Env of the event
// and, under "vars", of the variables.
type Compiled struct {
	*Rule
	When    *expression.Program   // nil: every event that On names
	Vars    []*expression.Program // as Rule.Vars
	Key     []*expression.Program // as Rule.Suppress.Key
	GroupBy []*expression.Program // as Rule.Correlate.GroupBy
	Field   *expression.Program   // as Rule.Correlate.Field
	Group   *expression.Template  // as Rule.Concurrency.Key; nil: the sensor
	Site    actions.Site          // of Steps: with it jobs bind the chain as it was checked
	Raw     bool                  // something in the rule reads raw, which decoders may leave for later
}

// Set is all rules that are in force together: immutable, compiled, indexed,
// safe for concurrent use. A change of one rule is a new Set.
type Set struct {
	rules  []*Compiled // in the order of the files
	byID   map[string]*Compiled
	asked  []*Compiled // those that the index numbers: enabled, with events of their own
	index  *index.Index
	feeds  map[string][]*Compiled // by the id of a rule: the enabled rules that correlate its matches
	events Counters
	source Source
}

// NewSet indexes rules that were checked when they were compiled.
func NewSet(compiled []*Compiled) *Set {
	s := &Set{rules: compiled, byID: map[string]*Compiled{}, feeds: map[string][]*Compiled{}}
	var conditions []index.Condition
	for _, r := range compiled {
		s.byID[r.ID] = r
		if !r.Enabled {
			continue
		}
		if r.Correlate != nil && len(r.Correlate.Rules) > 0 { // its events are those of other rules
			for _, id := range r.Correlate.Rules {
				if !slices.Contains(s.feeds[id], r) {
					s.feeds[id] = append(s.feeds[id], r)
				}
			}
			continue
		}
		c := index.Condition{On: r.On}
		if r.When != nil {
			c.Tree = r.When.Node()
		}
		s.asked = append(s.asked, r)
		conditions = append(conditions, c)
	}
	s.index = index.New(conditions)
	return s
}

// Rules lists the rules in the order of their files.
func (s *Set) Rules() []*Rule {
	rules := make([]*Rule, len(s.rules))
	for i, r := range s.rules {
		rules[i] = r.Rule
	}
	return rules
}

// Rule is the rule with the given id.
func (s *Set) Rule(id string) (*Compiled, bool) {
	r, ok := s.byID[id]
	return r, ok
}

// Len is the number of rules.
func (s *Set) Len() int { return len(s.rules) }

// Unindexed is a rule whose condition runs for every event of its types.
type Unindexed struct {
	Rule *Rule
	Why  string // for its author
}

// Unindexed lists the rules that the index cannot look up, and why.
func (s *Set) Unindexed() []Unindexed {
	var open []Unindexed
	for i, r := range s.asked {
		if why := s.index.Why(i); why != "" {
			open = append(open, Unindexed{Rule: r.Rule, Why: why})
		}
	}
	return open
}

// Wants reports whether some rule asks for events of the type and kind.
func (s *Set) Wants(typ, kind string) bool { return s.index.Class(typ, kind).Len() > 0 }

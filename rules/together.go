package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"edrpipe/pkg/strictyaml"
	"edrpipe/rules/index"
)

// neighbours are the rules that are checked together.
type neighbours struct {
	own       map[string]*parsedRule
	elsewhere OtherRules // known by their place only
}

// noRules is OtherRules without any.
type noRules struct{}

func (noRules) Place(string) string { return "" }
func (noRules) IDs() []string       { return nil }

// place is where a rule stands; "" where there is none.
func (n *neighbours) place(id string) string {
	if p := n.own[id]; p != nil {
		return fmt.Sprintf("%s:%d", p.rule.File, p.rule.Line)
	}
	return n.elsewhere.Place(id)
}

// together checks what concerns several rules: ids, and the rules that a correlation
// names.
func (l *loader) together(elsewhere OtherRules) {
	n := &neighbours{own: map[string]*parsedRule{}, elsewhere: elsewhere}
	report := func(p *parsedRule, path strictyaml.Path, message, hint string) {
		problem := p.doc.At(path, message)
		problem.Hint = hint
		l.problems = append(l.problems, problem)
	}
	for _, p := range l.parsed {
		if taken := n.place(p.rule.ID); taken != "" && p.rule.ID != "" {
			report(p, p.path.Key("id"), fmt.Sprintf("the id %q is taken", p.rule.ID), "by the rule at "+taken)
			continue
		}
		n.own[p.rule.ID] = p
	}
	for _, p := range l.parsed {
		if p.rule.Correlate == nil {
			continue
		}
		for i, id := range p.rule.Correlate.Rules {
			if message, hint := n.waitsInVain(p, id); message != "" {
				report(p, p.path.Key("correlate").Key("rules").Index(i), message, hint)
			}
		}
	}
}

// waitsInVain is why a correlation can never have a match of the rule with an id, and
// what to do; "" when it can.
func (n *neighbours) waitsInVain(p *parsedRule, id string) (message, hint string) {
	part := n.own[id]
	switch {
	case id == p.rule.ID:
		return "a correlation cannot wait for itself", "event_count counts the matches of one rule"
	case n.place(id) == "":
		return fmt.Sprintf("there is no rule %q", id), didYouMean(id, slices.AppendSeq(n.elsewhere.IDs(), maps.Keys(n.own)))
	case part == nil:
		return "", ""
	}
	if way := n.wayBack(part.rule, p.rule.ID, map[string]bool{}); way != nil {
		return fmt.Sprintf("the correlations wait for each other, and none can ever be complete: %s", strings.Join(append([]string{p.rule.ID}, way...), ", then ")), "remove one of these references"
	}
	switch {
	case p.rule.Enabled && !part.rule.Enabled:
		return fmt.Sprintf("the rule %q is not enabled, and the correlation can never be complete", id), "enable it, or turn this rule off too"
	case !p.event(part):
		return fmt.Sprintf("no event of %q is one of %s, and the correlation can never be complete", id, strings.Join(p.rule.On, ", ")), "an event counts where on and when of this rule hold too: name in on what all of its parts name"
	}
	return "", ""
}

// wayBack is how a rule's correlation leads to the rule with an id, from rule to rule;
// nil when it does not.
func (n *neighbours) wayBack(from *Rule, id string, seen map[string]bool) []string {
	switch {
	case from.ID == id:
		return []string{id}
	case from.Correlate == nil || seen[from.ID]:
		return nil
	}
	seen[from.ID] = true
	for _, next := range from.Correlate.Rules {
		if part := n.own[next]; part != nil {
			if way := n.wayBack(part.rule, id, seen); way != nil {
				return append([]string{from.ID}, way...)
			}
		}
	}
	return nil
}

// event reports whether some type of event is named by both rules.
func (p *parsedRule) event(part *parsedRule) bool {
	mine, theirs := newEventTypes(p.rule.On), newEventTypes(part.rule.On)
	if len(mine.types) == 0 || len(theirs.types) == 0 {
		return true // of types that the decoders do not know
	}
	for _, t := range mine.types {
		if slices.ContainsFunc(theirs.on, func(name string) bool { return index.Names(name, t.Name, t.Kind) }) {
			return true
		}
	}
	return false
}

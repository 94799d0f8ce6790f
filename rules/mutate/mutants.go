package mutate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// mutant is a rule with one change.
type mutant struct {
	where string // the path of the value that changed
	what  string
	base  *yaml.Node   // the rule, its expression written as in the changed form
	forms []*yaml.Node // the first that the checker takes is used
}

// mutantsOf lists the mutants of a rule.
func mutantsOf(rule *yaml.Node) []mutant {
	m := &maker{rule: rule}
	m.expression("when", under(rule, "when"))
	if vars := under(rule, "vars"); vars != nil && vars.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(vars.Content); i += 2 {
			m.expression("vars."+vars.Content[i].Value, vars.Content[i+1])
		}
	}
	m.items("on", under(rule, "on"), 1)
	m.suppression(under(rule, "suppress"))
	m.correlation(under(rule, "correlate"))
	if age := under(rule, "max_age"); age != nil && age.Value != "any" {
		m.value("max_age", age, "any")
	}
	if sensors := under(rule, "sensors"); sensors != nil {
		m.flag("sensors.each", under(sensors, "each"))
		m.bound("sensors.max", under(sensors, "max"))
	}
	m.steps("steps", under(rule, "steps"))
	m.steps("on_failure", under(rule, "on_failure"))
	return m.made
}

type maker struct {
	rule *yaml.Node
	made []mutant
}

// add makes a mutant of the rule as it is now.
func (m *maker) add(where, what string) {
	m.made = append(m.made, mutant{where: where, what: what, base: nil, forms: []*yaml.Node{resolved(m.rule)}})
}

// with makes a mutant of the rule after do; undo takes that back.
func (m *maker) with(where, what string, do, undo func()) {
	base := resolved(m.rule)
	do()
	m.add(where, what)
	undo()
	m.made[len(m.made)-1].base = base
}

// value gives a scalar another value.
func (m *maker) value(where string, n *yaml.Node, to string) {
	old := *n
	m.with(where, fmt.Sprintf("%s instead of %s", to, n.Value), func() { n.Value, n.Tag = to, "" }, func() { *n = old })
}

func (m *maker) flag(where string, n *yaml.Node) {
	if n != nil {
		m.value(where, n, strconv.FormatBool(n.Value != "true"))
	}
}

// bound changes a number by one, up and down.
func (m *maker) bound(where string, n *yaml.Node) {
	if n == nil {
		return
	}
	number, err := strconv.Atoi(n.Value)
	if err != nil {
		return
	}
	m.value(where, n, strconv.Itoa(number+1))
	if number > 1 {
		m.value(where, n, strconv.Itoa(number-1))
	}
}

// span makes a duration twice and half as long.
func (m *maker) span(where string, n *yaml.Node) {
	if n == nil {
		return
	}
	d, err := strictyaml.ParseDuration(n.Value)
	if err != nil || d == 0 {
		return
	}
	for _, other := range []time.Duration{2 * d, d / 2} {
		m.value(where, n, other.String())
	}
}

// items removes each item of a list that has more than least.
func (m *maker) items(where string, n *yaml.Node, least int) {
	if n == nil || n.Kind != yaml.SequenceNode || len(n.Content) <= least {
		return
	}
	old := n.Content
	for i, item := range old {
		m.with(fmt.Sprintf("%s[%d]", where, i), "without "+item.Value,
			func() { n.Content = slices.Delete(slices.Clone(old), i, i+1) }, func() { n.Content = old })
	}
}

// without removes a key of a mapping.
func (m *maker) without(where string, n *yaml.Node, key string) {
	if under(n, key) == nil {
		return
	}
	old := n.Content
	m.with(where, "without "+key, func() { n.Content = slices.Clone(old); remove(n, key) }, func() { n.Content = old })
}

// expression changes an expression. Its base has the expression in the form of the
// changes, so that only what changed differs.
func (m *maker) expression(where string, n *yaml.Node) {
	if n == nil || n.Kind != yaml.ScalarNode {
		return
	}
	old := *n
	as, changes := changesOf(n.Value)
	write := func(text string) *yaml.Node {
		n.Value, n.Tag, n.Style = text, "!!str", 0
		if strings.Contains(text, "\n") {
			n.Style = yaml.LiteralStyle
		}
		rule := resolved(m.rule)
		*n = old
		return rule
	}
	for _, c := range changes {
		made := mutant{where: where, what: c.what, base: write(as)}
		for _, form := range c.forms {
			made.forms = append(made.forms, write(form))
		}
		m.made = append(m.made, made)
	}
}

func (m *maker) expressions(where string, n *yaml.Node) {
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			m.expression(fmt.Sprintf("%s[%d]", where, i), item)
		}
	default:
		m.expression(where, n)
	}
}

func (m *maker) suppression(n *yaml.Node) {
	if n == nil {
		return
	}
	m.without("suppress", m.rule, "suppress")
	m.items("suppress.key", under(n, "key"), 1)
	m.expressions("suppress.key", under(n, "key"))
	m.span("suppress.for", under(n, "for"))
	m.bound("suppress.count", under(n, "count"))
}

func (m *maker) correlation(n *yaml.Node) {
	if n == nil {
		return
	}
	if typ := under(n, "type"); typ != nil && typ.Value == "temporal_ordered" {
		m.value("correlate.type", typ, "temporal")
	}
	m.bound("correlate.gte", under(n, "gte"))
	m.span("correlate.timespan", under(n, "timespan"))
	m.without("correlate.group_by", n, "group_by")
	m.items("correlate.group_by", under(n, "group_by"), 1)
	m.items("correlate.rules", under(n, "rules"), 1)
	m.expression("correlate.field", under(n, "field"))
}

package mutate

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// steps changes a chain: each step goes, changes places with the next one, and is
// changed itself.
func (m *maker) steps(where string, n *yaml.Node) {
	if n == nil || n.Kind != yaml.SequenceNode {
		return
	}
	old := n.Content
	for i, step := range old {
		at := fmt.Sprintf("%s[%d]", where, i)
		if len(old) > 1 {
			m.with(at, "without the step "+stepName(step),
				func() { n.Content = slices.Delete(slices.Clone(old), i, i+1) }, func() { n.Content = old })
		}
		if i+1 < len(old) && !strings.HasSuffix(where, "parallel") {
			m.with(at, fmt.Sprintf("%s after %s", stepName(step), stepName(old[i+1])), func() {
				n.Content = slices.Clone(old)
				n.Content[i], n.Content[i+1] = n.Content[i+1], n.Content[i]
			}, func() { n.Content = old })
		}
		m.step(at, step)
	}
}

func stepName(step *yaml.Node) string {
	for _, key := range []string{"id", "uses"} {
		if n := under(step, key); n != nil {
			return n.Value
		}
	}
	return "parallel"
}

func (m *maker) step(where string, n *yaml.Node) {
	m.without(where, n, "if")
	if cond := under(n, "if"); cond != nil {
		m.negate(where+".if", cond)
		m.expression(where+".if", cond)
	}
	m.expression(where+".foreach", under(n, "foreach"))
	if under(n, "on_error") != nil {
		m.without(where, n, "on_error")
	}
	m.without(where, n, "approval")
	if approval := under(n, "approval"); approval != nil {
		m.without(where+".approval", approval, "if")
		m.expression(where+".approval.if", under(approval, "if"))
	}
	m.parameters(where+".with", under(n, "with"))
	m.steps(where+".parallel", under(n, "parallel"))
}

// negate turns a condition round. always() has no opposite.
func (m *maker) negate(where string, n *yaml.Node) {
	old := *n
	if strings.Contains(n.Value, "always()") {
		return
	}
	m.with(where, "negated", func() { n.Value = "!(" + strings.TrimSpace(n.Value) + ")"; n.Tag = "!!str" }, func() { *n = old })
}

// parameters changes each literal among the parameters of a step.
func (m *maker) parameters(where string, n *yaml.Node) {
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			m.parameters(where+"."+n.Content[i].Value, n.Content[i+1])
		}
	case n.Kind == yaml.SequenceNode:
		m.items(where, n, 1)
		for i, item := range n.Content {
			m.parameters(fmt.Sprintf("%s[%d]", where, i), item)
		}
	case n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "${{"):
		m.literal(where, n)
	}
}

func (m *maker) literal(where string, n *yaml.Node) {
	old := *n
	switch n.ShortTag() {
	case "!!bool":
		m.flag(where, n)
	case "!!int":
		m.bound(where, n)
	case "!!str":
		made := mutant{where: where, what: fmt.Sprintf("another text than %q", n.Value), base: resolved(m.rule)}
		for _, text := range otherTexts(n.Value) {
			n.Value = text
			made.forms = append(made.forms, resolved(m.rule))
			*n = old
		}
		m.made = append(m.made, made)
	}
}

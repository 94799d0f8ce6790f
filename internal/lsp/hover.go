package lsp

import (
	"fmt"
	"regexp"
	"strings"

	"go.lsp.dev/protocol"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/expression"
	"edrpipe/rules"
)

var pathWord = regexp.MustCompile(`[A-Za-z_][\w.-]*`)

// wordAt is the word, or path of words as far as the position, around a position.
func wordAt(line string, offset int) (word string, from, to int) {
	for _, m := range pathWord.FindAllStringIndex(line, -1) {
		if offset < m[0] || offset > m[1] {
			continue
		}
		end := m[1]
		if i := strings.IndexByte(line[min(offset, m[1]):m[1]], '.'); i >= 0 {
			end = min(offset, m[1]) + i
		}
		return line[m[0]:end], m[0], end
	}
	return "", 0, 0
}

// hover describes what stands at a position; nil where there is nothing to say.
func (s *server) hover(file string, p protocol.Position) *protocol.Hover {
	t := s.work.text(file)
	o := s.outline(file)
	offset := t.offset(p)
	word, from, to := wordAt(t.line(int(p.Line)), offset)
	if word == "" {
		return nil
	}
	end := p
	end.Character = t.position(int(p.Line), to).Character
	c := cursorAt(t, o, end)
	doc := s.describe(c, word, int(p.Line))
	if doc == "" {
		return nil
	}
	r := t.span(int(p.Line), from, to)
	return &protocol.Hover{Contents: protocol.MarkupContent{Kind: protocol.Markdown, Value: doc}, Range: &r}
}

func (s *server) describe(c cursor, word string, line int) string {
	if _, in := c.expression(); in {
		return s.describeName(c, word)
	}
	if c.key == "" || strings.HasPrefix(c.line[c.offset:], ":") {
		b := &completion{server: s, cursor: c, line: line}
		for _, k := range b.keysHere() {
			if k.Name == word {
				return describeKey(k)
			}
		}
	}
	if c.key == "uses" {
		return describeAction(word)
	}
	return ""
}

func describeKey(k rules.Key) string {
	text := fmt.Sprintf("**%s**: %s\n\n%s", k.Name, k.Value, k.Doc)
	if k.Default != "" {
		text += "\n\ndefault: " + k.Default
	}
	if k.Required {
		text += "\n\nrequired"
	}
	return text
}

func describeAction(name string) string {
	for _, a := range actions.All() {
		spec := a.Spec()
		if spec.Name != name {
			continue
		}
		text := fmt.Sprintf("**%s**\n\n%s", name, spec.Summary)
		if spec.Destructive {
			text += "\n\nIt changes the endpoint or its server."
		}
		for _, f := range actions.Fields(a.Params()) {
			text += fmt.Sprintf("\n- `%s`: %s", f.Name, f.Doc)
		}
		return text
	}
	return ""
}

// describeName describes a name in an expression.
func (s *server) describeName(c cursor, word string) string {
	if doc := rules.DescribeField(word); doc != "" {
		return fmt.Sprintf("**%s**\n\n%s", word, doc)
	}
	if f, ok := expression.FunctionNamed(word); ok {
		return fmt.Sprintf("```\n%s\n```\n%s\n\nExample: `%s`", f.Signature, f.Doc, f.Example)
	}
	names := strings.Split(word, ".")
	if c.rule == nil || len(names) < 2 {
		return ""
	}
	if names[0] == "vars" {
		for _, v := range c.rule.vars {
			if v.word == names[1] {
				return "variable of the rule"
			}
		}
	}
	if step, ok := c.rule.step(names[1]); ok && names[0] == "steps" {
		text := "step `" + names[1] + "`: " + step.uses
		if len(names) > 3 && names[2] == "output" {
			if t := below(outputOf(step.uses), names[3:]); t != nil {
				text += "\n\ntype: " + t.String()
			}
		}
		return text
	}
	return ""
}

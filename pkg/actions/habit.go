package actions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"edrpipe/pkg/strictyaml"
)

// What people write by habit is answered in their words: placeholders of other tools,
// steps that come later, the list that a loop gives.

var (
	noStep    = regexp.MustCompile(`^steps has no field "(.+)"$`)
	listField = regexp.MustCompile(`^array elements can only be selected using an integer`)
)

// habit rewrites the message of a mistake in an expression.
func (c *compiler) habit(p *Problem) {
	if m := noStep.FindStringSubmatch(p.Message); m != nil && slices.Contains(c.all, m[1]) {
		p.Message, p.Hint = fmt.Sprintf("step %q comes later, or runs beside this one", m[1]), "a step can use the results of the steps before it"
	}
	if listField.MatchString(p.Message) {
		p.Message, p.Hint = "this is a list: a step with foreach gives one output for each item", "take one with [0], or all with map(…, .name)"
	}
}

// placeholder finds the placeholders of other tools.
var placeholder = regexp.MustCompile(`(?:^|[^$])(\{\{\s*([a-z_]+(?:\.[A-Za-z0-9_]+)+)\s*\}\})|\$\(([a-z_]+(?:\.[A-Za-z0-9_]+)+)\)|\$\{([a-z_]+(?:\.[A-Za-z0-9_]+)+)\}|%([a-z_]+(?:\.[A-Za-z0-9_]+)+)%`)

// placeholders warns of text that looks like a placeholder and names what a rule can use:
// it stands as it is.
func (m *marker) placeholders(path strictyaml.Path, text string) {
	if !mayHoldPlaceholder(text) {
		return
	}
	for _, found := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		for group := 2; group <= 5; group++ {
			if found[2*group] < 0 {
				continue
			}
			name := text[found[2*group]:found[2*group+1]]
			whole := strings.TrimLeft(text[found[0]:found[1]], " ")
			root, _, _ := strings.Cut(name, ".")
			if _, err := m.scope.Value(name); err != nil && root != "steps" {
				continue
			}
			m.c.add(Problem{
				Path: path, Warning: true, Message: fmt.Sprintf("%s stands as it is: it is no placeholder here", whole),
				Hint: fmt.Sprintf("write ${{ %s }}", name),
			})
		}
	}
}

// mayHoldPlaceholder leaves out nearly every text without running the expression.
func mayHoldPlaceholder(text string) bool {
	for i := range len(text) - 1 {
		switch text[i] {
		case '%':
			return true
		case '$':
			if text[i+1] == '(' || text[i+1] == '{' && !strings.HasPrefix(text[i+2:], "{") {
				return true
			}
		case '{':
			if text[i+1] == '{' && (i == 0 || text[i-1] != '$') {
				return true
			}
		}
	}
	return false
}

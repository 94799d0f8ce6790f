package sigma

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// longList is how many values are better kept in a list file than in a condition.
const longList = 300

// lists are the list files that a rule looks into.
type lists struct {
	rule   string
	values map[string][]string
}

// keep makes a list of the values; ok is false where a list file cannot hold them.
func (l *lists) keep(values []string) (name string, ok bool) {
	for _, v := range values {
		if v != strings.TrimSpace(v) || v == "" || strings.HasPrefix(v, "#") || strings.ContainsAny(v, "\r\n\x00") {
			return "", false
		}
	}
	if l.values == nil {
		l.values = map[string][]string{}
	}
	for {
		name = fmt.Sprintf("%s-%d", l.rule, len(l.values)+1)
		if _, taken := l.values[name]; !taken {
			break
		}
	}
	l.values[name] = values
	return name, true
}

// listName is the name of a list file that needs no care.
var listName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func inList(path, name string) string { return "in_list(" + path + ", " + quote(name) + ")" }

// long is a comparison with so many texts that they are kept in a list.
func (m *mapping) long(c *comparison, path string, values []*yaml.Node) (string, bool) {
	if len(values) < longList || c.op != "" || c.all || c.neq || c.cased || len(c.forms) > 0 || !c.field.kind.refers() || c.field.inbound != "" {
		return "", false
	}
	texts := make([]string, len(values))
	for i, v := range values {
		text, plain := parsePattern(v.Value).literal()
		if !plain || v.Tag == "!!null" {
			return "", false
		}
		texts[i] = text
	}
	name, ok := m.lists.keep(texts)
	return inList(path, name), ok
}

// longHashes is a comparison with so many hashes that they are kept in a list.
func (m *mapping) longHashes(c *comparison, path string, values []*yaml.Node) (string, error) {
	hashes := map[string][]string{}
	for _, v := range values {
		if _, err := c.hash(path, v); err != nil {
			return "", err
		}
		algorithm, hex, _ := strings.Cut(strings.ToLower(v.Value), "=")
		hashes[algorithm] = append(hashes[algorithm], hex)
	}
	var parts []string
	for _, algorithm := range []string{"md5", "sha256"} {
		if len(hashes[algorithm]) == 0 {
			continue
		}
		name, ok := m.lists.keep(hashes[algorithm])
		if !ok {
			return "", refuse("%s: the hashes do not fit a list", c.name)
		}
		parts = append(parts, inList(path+"."+algorithm, name))
	}
	return joined("||", parts), nil
}

// placeholders is a comparison with %name%, whose values are the operator's: those of
// the list of that name. With other text around it, or another comparison than the
// whole value's, a list does not say the same.
func (m *mapping) placeholders(c *comparison, values []*yaml.Node) (string, error) {
	var parts []string
	for _, v := range values {
		name, ok := strings.CutPrefix(v.Value, "%")
		name, closed := strings.CutSuffix(name, "%")
		switch {
		case !ok || !closed || !listName.MatchString(name):
			return "", refuse("%s|expand: %q is not one placeholder like %%name%%", c.name, v.Value)
		case c.op != "" || c.cased || len(c.forms) > 0 || c.field.inbound != "" || !c.field.kind.refers():
			return "", refuse("%s: |expand compares whole texts with a list only", c.name)
		}
		if m.lists.values == nil {
			m.lists.values = map[string][]string{}
		}
		m.lists.values[name] = nil
		part := inList(c.field.path, name)
		if c.neq {
			part = negation(part)
		}
		parts = append(parts, part)
	}
	if c.all != c.neq {
		return joined("&&", parts), nil
	}
	return joined("||", parts), nil
}

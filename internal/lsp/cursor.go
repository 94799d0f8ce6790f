package lsp

import (
	"slices"
	"strings"

	"go.lsp.dev/protocol"
)

// cursor is what a position stands in.
type cursor struct {
	path   []string // keys from the top of the file to the mapping around the position
	key    string   // whose value the position is in; "" where a key is to be written
	before string   // the value as far as the position, or the beginning of a key
	line   string
	offset int
	rule   *ruleBlock // nil: none
}

// cursorAt tells by indentation and by open brackets where a position is.
func cursorAt(t *text, o *outline, p protocol.Position) cursor {
	c := cursor{line: t.line(int(p.Line)), offset: t.offset(p), rule: o.at(int(p.Line))}
	before := c.line[:c.offset]
	indent := keyColumn(before)
	c.path = c.outer(t, int(p.Line), indent)
	key, value, found := splitPair(before[min(indent, len(before)):])
	if !found {
		if block, ok := enclosingText(t, int(p.Line), c.path); ok {
			c.key, c.before = block, strings.TrimLeft(before, " ")
			c.path = c.path[:len(c.path)-1]
			return c
		}
		c.before = strings.TrimLeft(before[min(indent, len(before)):], " ")
		if k := len(c.path); k > 0 && strings.HasPrefix(strings.TrimLeft(before, " "), "- ") && valueLists[c.path[k-1]] {
			c.key, c.path = c.path[k-1], c.path[:k-1]
		}
		return c
	}
	c.key, c.before = key, value
	c.flow()
	return c
}

// valueLists are the keys whose lists hold values, not mappings.
var valueLists = map[string]bool{"on": true, "event": true, "tags": true, "key": true, "group_by": true, "rules": false, "references": true}

// keyColumn is where the first key on a line begins, behind dashes.
func keyColumn(line string) int {
	at := len(line) - len(strings.TrimLeft(line, " "))
	for strings.HasPrefix(line[at:], "- ") {
		rest := line[at+2:]
		at += 2 + len(rest) - len(strings.TrimLeft(rest, " "))
	}
	return at
}

// outer lists the keys around a line whose own keys stand in a column.
func (c *cursor) outer(t *text, line, column int) []string {
	var path []string
	limit := column // what is around begins left of this
	if dash := indentOf(t.line(line)); dash < column && strings.HasPrefix(t.line(line)[dash:], "- ") {
		limit = dash + 1
	}
	for n := line - 1; n >= 0; n-- {
		l := t.line(n)
		trimmed := strings.TrimSpace(l)
		if trimmed == "" || trimmed[0] == '#' {
			continue
		}
		at, dash := keyColumn(l), indentOf(l)
		key, value, found := splitPair(l[min(at, len(l)):])
		switch {
		case at < limit && found && opens(value):
			path = append(path, key)
			column, limit = at, at
			if dash < at {
				limit = dash + 1
			}
		case at == column && dash < at:
			limit = min(limit, dash+1)
		}
	}
	slices.Reverse(path)
	return path
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// opens reports whether what follows a key on its line leaves its value to the lines
// below.
func opens(value string) bool {
	value = strings.TrimSpace(value)
	return value == "" || strings.ContainsRune("#|>&{[", rune(value[0]))
}

// splitPair divides key: value.
func splitPair(s string) (key, value string, found bool) {
	i := strings.Index(s, ":")
	if i <= 0 || i+1 < len(s) && s[i+1] != ' ' {
		return "", "", false
	}
	key = strings.Trim(s[:i], `"'`)
	if strings.ContainsAny(key, " {[(") {
		return "", "", false
	}
	return key, strings.TrimLeft(s[i+1:], " "), true
}

// enclosingText is the key of a text behind | or > that a line continues.
func enclosingText(t *text, line int, path []string) (string, bool) {
	if len(path) == 0 {
		return "", false
	}
	for n := line - 1; n >= 0; n-- {
		l := t.line(n)
		if strings.TrimSpace(l) == "" {
			continue
		}
		key, value, found := splitPair(l[min(keyColumn(l), len(l)):])
		if found && key == path[len(path)-1] {
			value = strings.TrimSpace(value)
			return key, value != "" && (value[0] == '|' || value[0] == '>')
		}
		if len(l)-len(strings.TrimLeft(l, " ")) < keyColumn(t.line(line)) && found {
			return "", false
		}
	}
	return "", false
}

// flow goes into the { } and [ ] that are open before the position.
func (c *cursor) flow() {
	value := c.before
	type level struct {
		bracket byte
		key     string
	}
	var open []level
	key, start := c.key, 0
	for i := 0; i < len(value); i++ {
		switch b := value[i]; b {
		case '"', '\'':
			if strings.TrimSpace(value[start:i]) != "" {
				continue // within a plain text
			}
			end := closingQuote(value, i)
			if end < 0 {
				i = len(value)
				continue
			}
			i = end
		case '{', '[':
			if strings.TrimSpace(value[start:i]) != "" || len(open) == 0 && i > 0 && strings.TrimSpace(value[:i]) != "" {
				continue // of an expression
			}
			open = append(open, level{b, key})
			start = i + 1
			if b == '{' {
				key = ""
			}
		case '}', ']':
			if k := len(open); k > 0 {
				key, open = open[k-1].key, open[:k-1]
				start = i + 1
			}
		case ',':
			if k := len(open); k > 0 {
				start = i + 1
				if open[k-1].bracket == '{' {
					key = ""
				}
			}
		case ':':
			if k := len(open); k > 0 && open[k-1].bracket == '{' && key == "" && (i+1 == len(value) || value[i+1] == ' ') {
				key = strings.Trim(value[start:i], ` "'`)
				start = i + 1
			}
		}
	}
	for _, l := range open {
		if l.bracket == '{' && l.key != "" {
			c.path = append(c.path, l.key)
		}
	}
	c.key, c.before = key, strings.TrimLeft(value[min(start, len(value)):], " ")
}

func closingQuote(s string, open int) int {
	for i := open + 1; i < len(s); i++ {
		switch {
		case s[open] == '"' && s[i] == '\\':
			i++
		case s[i] == s[open]:
			return i
		}
	}
	return -1
}

// expressions are the keys whose value is an expression.
var expressions = map[string]bool{"when": true, "if": true, "foreach": true, "field": true, "group_by": true, "sensor": true}

// expression is the part of the value that is an expression, as far as the position;
// false where the value is not one.
func (c *cursor) expression() (string, bool) {
	if i := strings.LastIndex(c.before, "${{"); i >= 0 && !strings.Contains(c.before[i:], "}}") {
		return c.before[i+3:], true
	}
	last := ""
	if len(c.path) > 0 {
		last = c.path[len(c.path)-1]
	}
	in := slices.Contains(c.path, "tests") || slices.Contains(c.path, "with")
	switch {
	case in:
	case expressions[c.key] && c.key != "":
		return strings.TrimLeft(c.before, `"'`), true
	case last == "vars" && c.key != "", c.key == "key" && last == "suppress":
		return strings.TrimLeft(c.before, `"'`), true
	}
	return "", false
}

package format

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"edrpipe/rules"
)

// order puts the keys of rules, steps and tests in the order of the reference.
// Each key takes along the comments above it. A mapping with an anchor or an alias
// below it stays as it is: an alias must not come before its anchor.
func order(p *page) {
	for _, d := range p.documents {
		p.orderBelow(d, nil)
	}
}

// orderBelow works from the inside out: what it moves within a value does not
// change on which lines the value stands.
func (p *page) orderBelow(n *yaml.Node, path []string) {
	if isFlow(n) {
		return
	}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			p.orderBelow(item, path)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			p.orderBelow(n.Content[i+1], append(path[:len(path):len(path)], n.Content[i].Value))
		}
		if known := rules.Keys(path...); len(path) > 0 && len(known) > 0 && !anchored(n) {
			p.orderKeys(n, known)
		}
	}
}

func anchored(n *yaml.Node) bool {
	return n.Anchor != "" || n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, anchored)
}

// part is a key with its value and the comments above it.
type part struct {
	rank  int
	lines []string
	key   int // index of the line with the key
}

func (p *page) orderKeys(n *yaml.Node, known []rules.Key) {
	parts := p.partsOf(n, known)
	byRank := func(a, b part) int { return a.rank - b.rank }
	if parts == nil || slices.IsSortedFunc(parts, byRank) {
		return
	}
	first := n.Content[0]
	column := first.Column - 1
	dash := p.line(first.Line)[:column] // blanks, or a dash
	top := &parts[0].lines[parts[0].key]
	*top = strings.Repeat(" ", column) + (*top)[column:]
	slices.SortStableFunc(parts, byRank)
	for i := 0; isBlank(parts[0].lines[0]); i++ { // blank lines before the first key go behind it
		parts[0].lines, parts[0].key = parts[0].lines[1:], parts[0].key-1
		parts[1].lines, parts[1].key = append([]string{""}, parts[1].lines...), parts[1].key+1
	}
	top = &parts[0].lines[parts[0].key]
	*top = dash + (*top)[column:]
	for i := range parts[0].key { // comments above a dash belong to its item
		parts[0].lines[i] = strings.Repeat(" ", indentation(*top)) + strings.TrimLeft(parts[0].lines[i], " ")
	}
	at := first.Line - 1
	for _, part := range parts {
		at += copy(p.lines[at:], part.lines)
	}
}

// partsOf divides the lines of a mapping; nil where its keys do not stand on lines
// of their own.
func (p *page) partsOf(n *yaml.Node, known []rules.Key) []part {
	var starts []int // index of the first line of each part
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		line := p.line(key.Line)
		if i > 0 && indentation(line) != n.Content[0].Column-1 || key.Column != n.Content[0].Column || !isASCII(line[:min(len(line), key.Column)]) {
			return nil
		}
		start := key.Line - 1
		for i > 0 && start > 0 && (isBlank(p.lines[start-1]) || isComment(p.lines[start-1]) && indentation(p.lines[start-1]) == key.Column-1) {
			start--
		}
		starts = append(starts, start)
	}
	starts = append(starts, p.endOfMapping(n))
	var parts []part
	for i := range len(n.Content) / 2 {
		if starts[i+1] <= starts[i] {
			return nil
		}
		key := n.Content[2*i]
		parts = append(parts, part{rank(key.Value, known), slices.Clone(p.lines[starts[i]:starts[i+1]]), key.Line - 1 - starts[i]})
	}
	return parts
}

// endOfMapping is the index of the line behind a mapping and the comments that
// belong to its last value.
func (p *page) endOfMapping(n *yaml.Node) int {
	end := lastLine(n)
	for i := end; i < len(p.lines); i++ {
		comment := isComment(p.lines[i]) && indentation(p.lines[i]) >= n.Content[0].Column
		if !p.inside[i] && !comment {
			break
		}
		end = i + 1
	}
	return end
}

// rank is the place of a key; keys that are not known come last.
func rank(name string, known []rules.Key) int {
	for i, k := range known {
		if k.Name == name || slices.Contains(k.Aliases, name) {
			return i
		}
	}
	return len(known)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

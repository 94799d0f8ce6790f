package format

import (
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// spaceKeys leaves one blank between a key and a value on its line, one between a
// dash and its item, and no blanks at the ends of lines.
func spaceKeys(p *page) {
	for _, d := range p.documents {
		p.eachKey(d)
	}
	for i, line := range p.lines {
		next := i+1 < len(p.lines) && p.inside[i+1]
		if !p.inside[i] && !next {
			p.lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
		}
	}
}

// eachKey goes from the last key to the first: several can stand on one line.
func (p *page) eachKey(n *yaml.Node) {
	if isFlow(n) || n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return
	}
	if n.Kind == yaml.SequenceNode {
		for i := len(n.Content) - 1; i >= 0; i-- {
			p.eachKey(n.Content[i])
		}
		return
	}
	for i := len(n.Content) - 2; i >= 0; i -= 2 {
		key, value := n.Content[i], n.Content[i+1]
		p.eachKey(value)
		p.spaceKey(key, value)
	}
}

func (p *page) spaceKey(key, value *yaml.Node) {
	l := []rune(p.line(key.Line))
	end := key.Column - 1 + len([]rune(key.Value))
	if key.Kind != yaml.ScalarNode || key.Style != 0 || end > len(l) || string(l[key.Column-1:end]) != key.Value {
		return // quoted, tagged or explicit
	}
	colon := end
	for colon < len(l) && l[colon] == ' ' {
		colon++
	}
	if colon >= len(l) || l[colon] != ':' {
		return
	}
	at := colon + 1
	for at < len(l) && unicode.IsSpace(l[at]) {
		at++
	}
	rest := string(l[at:])
	if rest != "" && !strings.HasPrefix(rest, "#") {
		rest = " " + rest
	} else if rest != "" {
		rest = string(l[colon+1:]) // a comment stays where it is
	}
	p.lines[key.Line-1] = string(l[:end]) + ":" + rest
}

// indent gives every line the indentation of its place.
func indent(p *page) {
	in := &indenter{page: p, to: make([]int, len(p.lines)+1), goOn: make([]continuation, len(p.lines)+1)}
	for i := range in.to {
		in.to[i] = -1
	}
	for _, d := range p.documents {
		in.node(d, 0)
	}
	in.comments()
	in.apply()
}

// step is how many blanks a level is.
const step = 2

type indenter struct {
	*page
	to   []int          // the new indentation of the line with this index; -1: as it is
	goOn []continuation // of the lines that continue a value
}

// continuation is how a line that continues a value moves.
type continuation struct {
	line  int // on which the value begins; 0: the line continues none
	block bool
	base  int // where a text behind | or > begins
	shift int // how far the key or dash of the value moves
}

// node gives the lines below a node their indentation; at is that of the node's
// own keys or items.
func (in *indenter) node(n *yaml.Node, at int) {
	switch {
	case n.Kind == yaml.MappingNode && !isFlow(n):
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if indentation(in.line(key.Line)) == key.Column-1 {
				in.to[key.Line-1] = at
			}
			in.value(value, key.Line, key.Column-1, at)
		}
	case n.Kind == yaml.SequenceNode && !isFlow(n):
		in.items(n, at)
	default:
		in.value(n, n.Line, 0, 0)
	}
}

// value handles a value that belongs to the key or dash on a line, which moves from
// column old to column at.
func (in *indenter) value(v *yaml.Node, line, old, at int) {
	switch {
	case v.Kind == yaml.ScalarNode && v.Value == "" && v.Style == 0:
		return // nothing is written
	case (v.Kind == yaml.MappingNode || v.Kind == yaml.SequenceNode) && !isFlow(v):
		in.node(v, at+step)
		return
	}
	if v.Line > line && v.Line <= len(in.lines) {
		in.to[v.Line-1] = at + step
	}
	c := continuation{line: v.Line, block: isBlockText(v) && !explicit(in.line(v.Line)), base: at + step, shift: at - old}
	for n := v.Line + 1; n <= len(in.lines) && in.inside[n-1]; n++ {
		in.goOn[n-1] = c
	}
}

// items handles the items of a list. An item that is a mapping or a list begins
// behind its dash.
func (in *indenter) items(n *yaml.Node, at int) {
	dash := in.dashColumn(n)
	last := lastLine(n)
	for l := n.Line; l <= last && l <= len(in.lines); l++ {
		line := in.line(l)
		if in.structural(l) && indentation(line) == dash && isDash(line[dash:]) {
			in.to[l-1] = at
		}
	}
	for _, item := range n.Content {
		in.value(item, item.Line, dash, at)
	}
}

// dashColumn is where the dashes of a list stand, from 0. A list behind an anchor
// begins at the anchor.
func (p *page) dashColumn(n *yaml.Node) int {
	line := []rune(p.line(n.Line))
	if n.Column-1 < len(line) && line[n.Column-1] == '-' {
		return n.Column - 1
	}
	for l := n.Line + 1; l <= len(p.lines); l++ {
		if p.structural(l) {
			return indentation(p.line(l))
		}
	}
	return n.Column - 1
}

func isDash(text string) bool {
	return text == "-" || strings.HasPrefix(text, "- ") || strings.HasPrefix(text, "-\t")
}

// lastLine is the last line on which something below a node begins.
func lastLine(n *yaml.Node) int {
	last := n.Line
	if n.Kind == yaml.AliasNode {
		return last
	}
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last
}

// comments gives a comment the indentation of what it belongs to: of the next
// line, or, where it stands further right, of the line before that begins at or
// left of it.
func (in *indenter) comments() {
	next := -1 // index of the structural line that follows
	for i := len(in.lines) - 1; i >= 0; i-- {
		if in.structural(i + 1) {
			next = i
			continue
		}
		if in.inside[i] || !isComment(in.lines[i]) {
			if isMarker(in.lines[i]) && !in.inside[i] {
				next = -1
			}
			continue
		}
		in.to[i] = in.commentAt(i, next)
	}
}

func (in *indenter) commentAt(i, next int) int {
	old := indentation(strings.ReplaceAll(in.lines[i], "\t", " "))
	if j := in.itemBefore(i, next, old); j >= 0 {
		return max(in.to[j], 0)
	}
	if next >= 0 && old <= indentation(in.lines[next]) {
		return max(in.to[next], 0)
	}
	if old == 0 {
		return 0
	}
	for j := i - 1; j >= 0; j-- {
		if isMarker(in.lines[j]) {
			break
		}
		if in.structural(j+1) && indentation(in.lines[j]) <= old && in.to[j] >= 0 {
			if next >= 0 && indentation(in.lines[j]) < indentation(in.lines[next]) {
				return max(in.to[next], 0)
			}
			return in.to[j]
		}
	}
	if next >= 0 {
		return max(in.to[next], 0)
	}
	return 0
}

// itemBefore is the index of the line with an item that a comment with the form of
// an item follows, where the dash stands in the column of the keys around its list.
func (in *indenter) itemBefore(i, next, old int) int {
	text := strings.TrimLeft(strings.TrimLeft(in.lines[i], " \t"), "#")
	if !isDash(strings.TrimSpace(text)) || next >= 0 && isDash(strings.TrimLeft(in.lines[next], " ")) {
		return -1
	}
	for j := i - 1; j >= 0 && !isMarker(in.lines[j]); j-- {
		if !in.structural(j+1) || indentation(in.lines[j]) > old {
			continue
		}
		if indentation(in.lines[j]) == old && isDash(in.lines[j][old:]) {
			return j
		}
		return -1
	}
	return -1
}

// apply moves the lines. Lines that continue a value move with it: a text behind |
// or > to one level below its key, all others as far as their key.
func (in *indenter) apply() {
	before := append([]string{}, in.lines...)
	for i := range in.lines {
		if in.to[i] >= 0 {
			in.lines[i] = strings.Repeat(" ", in.to[i]) + tidyDash(strings.TrimLeft(before[i], " \t"))
		}
	}
	for i := 0; i < len(before); {
		end := i + 1
		if c := in.goOn[i]; c.line > 0 {
			for end < len(before) && in.goOn[end] == c {
				end++
			}
			in.move(before[i:end], in.lines[i:end], c)
		}
		i = end
	}
}

// tidyDash leaves one blank behind each dash at the beginning of an item.
func tidyDash(text string) string {
	if !isDash(text) || text == "-" {
		return text
	}
	return "- " + tidyDash(strings.TrimLeft(text[1:], " \t"))
}

// move writes to lines the lines before, which continue a value, moved.
func (in *indenter) move(before, lines []string, c continuation) {
	least := -1
	for _, l := range before {
		if !isBlank(l) && (least < 0 || indentation(l) < least) {
			least = indentation(l)
		}
	}
	shift := c.shift
	if c.block {
		shift = c.base - least
	}
	for i, l := range before {
		switch {
		case isBlank(l) && indentation(l) <= least, least < 0:
			lines[i] = ""
		case shift >= 0:
			lines[i] = strings.Repeat(" ", shift) + l
		default:
			lines[i] = l[min(-shift, indentation(l)):]
		}
	}
}

// explicit reports whether the | or > at the end of a line states how far its text
// is indented.
func explicit(line string) bool {
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	words := strings.Fields(line)
	return len(words) > 0 && strings.ContainsAny(words[len(words)-1], "123456789")
}

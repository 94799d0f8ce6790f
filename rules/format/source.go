package format

import (
	"bytes"
	"strings"

	"gopkg.in/yaml.v3"

	"edrpipe/pkg/strictyaml"
)

// Source formats the text of a rule file or of a file of tests. The error, if
// any, is strictyaml.Problems: the text is not YAML, or it is written in a way
// that cannot be formatted without a change of its meaning.
func Source(name string, text []byte) ([]byte, error) {
	if _, problems := strictyaml.Parse(name, text); len(problems) > 0 {
		return nil, problems
	}
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	source := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(text))
	formatted, err := settle(source)
	if err != nil || !sameMeaning(source, formatted) {
		return nil, strictyaml.Problems{{
			File: name, Message: "this file cannot be formatted without a change of its meaning",
			Hint: "it is valid; write it with plain block mappings to have it formatted",
		}}
	}
	return []byte(formatted), nil
}

// maxRounds bounds how often a text is formatted until nothing changes. One round
// is enough but for comments that move together with keys.
const maxRounds = 4

// settle formats until nothing changes.
func settle(source string) (string, error) {
	for range maxRounds {
		next, err := once(source)
		if err != nil {
			return "", err
		}
		if next == source {
			return next, nil
		}
		source = next
	}
	return source, nil
}

// once runs each part of formatting on the whole text.
func once(source string) (string, error) {
	for _, part := range []func(*page){spaceFlows, spaceKeys, indent, order, blankLines} {
		p, err := parse(source)
		if err != nil {
			return "", err
		}
		part(p)
		source = p.text()
	}
	return source, nil
}

// page is a text as lines, with the documents in it.
type page struct {
	lines     []string
	documents []*yaml.Node // their roots
	inside    []bool       // lines that continue a value which began on an earlier line
}

func parse(source string) (*page, error) {
	p := &page{lines: strings.Split(strings.TrimRight(source, "\n"), "\n")}
	dec := yaml.NewDecoder(strings.NewReader(source))
	for {
		var n yaml.Node
		if err := dec.Decode(&n); err != nil {
			if err.Error() == "EOF" {
				break
			}
			return nil, err
		}
		if len(n.Content) == 1 {
			p.documents = append(p.documents, n.Content[0])
		}
	}
	p.inside = make([]bool, len(p.lines)+1)
	for _, d := range p.documents {
		p.claim(d, -1)
	}
	return p, nil
}

// text is the page with one line break at its end.
func (p *page) text() string {
	return strings.TrimRight(strings.Join(p.lines, "\n"), "\n") + "\n"
}

// line is a line by its number from 1; beyond the end it is empty.
func (p *page) line(n int) string {
	if n < 1 || n > len(p.lines) {
		return ""
	}
	return p.lines[n-1]
}

// indentation is how many blanks a line begins with.
func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

func isBlank(line string) bool { return strings.TrimSpace(line) == "" }

// isComment reports whether a line that continues no value is a comment.
func isComment(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") }

// isMarker reports whether a line begins or ends a document.
func isMarker(line string) bool {
	return strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...") || strings.HasPrefix(line, "%")
}

// structural reports whether a key, an item or a value begins on a line.
func (p *page) structural(n int) bool {
	line := p.line(n)
	return !p.inside[n-1] && !isBlank(line) && !isComment(line) && !isMarker(line)
}

func isFlow(n *yaml.Node) bool {
	return n.Style&yaml.FlowStyle != 0 && (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode)
}

func isBlockText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}

func isBlockMapping(n *yaml.Node) bool { return n.Kind == yaml.MappingNode && !isFlow(n) }

// claim marks the lines that continue values below a node. parent is the
// indentation of what the value belongs to.
func (p *page) claim(n *yaml.Node, parent int) {
	switch {
	case n.Kind == yaml.AliasNode:
	case isFlow(n):
		p.mark(n.Line, endOfFlow(p.lines, n.Line, n.Column))
	case isBlockText(n):
		p.mark(n.Line, p.endOfBlock(n.Line, parent))
	case n.Kind == yaml.ScalarNode:
		p.mark(n.Line, p.endOfScalar(n))
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			p.claim(n.Content[i+1], n.Content[i].Column-1)
		}
	default:
		dash := p.dashColumn(n)
		for _, item := range n.Content {
			p.claim(item, dash)
		}
	}
}

// mark says that the lines after first up to last continue a value.
func (p *page) mark(first, last int) {
	for n := first + 1; n <= last && n <= len(p.lines); n++ {
		p.inside[n-1] = true
	}
}

// endOfBlock is the last line of a literal or folded text whose header is on a line.
func (p *page) endOfBlock(header, parent int) int {
	base, last := -1, header
	for n := header + 1; n <= len(p.lines); n++ {
		line := p.line(n)
		if isBlank(line) {
			continue
		}
		in := indentation(line)
		if in <= parent || base >= 0 && in < base {
			break
		}
		if base < 0 {
			base = in
		}
		last = n
	}
	return last
}

// endOfScalar is the last line of a plain or quoted text.
func (p *page) endOfScalar(n *yaml.Node) int {
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		return endOfQuoted(p.lines, n)
	}
	if n.Value == "" {
		return n.Line
	}
	// A plain text goes on as long as its words do.
	words := strings.Fields(n.Value)
	first := []rune(p.line(n.Line))
	at, _ := skipProperties(first, n.Column-1)
	seen := min(len(strings.Fields(string(first[min(at, len(first)):]))), len(words))
	last := n.Line
	for l := n.Line + 1; l <= len(p.lines) && seen < len(words); l++ {
		if found := min(len(strings.Fields(p.line(l))), len(words)-seen); found > 0 {
			seen, last = seen+found, l
		}
	}
	return last
}

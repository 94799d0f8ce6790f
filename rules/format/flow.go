package format

import (
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// token is a part of a flow collection.
type token struct {
	text    string
	line    int // from 1
	from    int // column of its first character, from 0
	to      int // column behind its last character, on endLine
	endLine int
}

func (t token) punctuation() bool {
	switch t.text {
	case "{", "}", "[", "]", ",", ":":
		return true
	}
	return false
}

// scanner reads the tokens of a flow collection.
type scanner struct {
	lines [][]rune
	line  int // from 0
	at    int
}

func newScanner(lines []string, line, column int) *scanner {
	s := &scanner{line: line - 1, at: column - 1}
	for _, l := range lines {
		s.lines = append(s.lines, []rune(l))
	}
	return s
}

// flowTokens reads a flow collection that begins at a place, to its closing
// bracket or to the end of the text.
func flowTokens(lines []string, line, column int) []token {
	// Only these lines are looked at: a flow collection rarely spans many.
	s := newScanner(lines[min(line-1, len(lines)):], 1, column)
	var tokens []token
	for depth := 0; ; {
		t, ok := s.next(tokens)
		if !ok {
			break
		}
		t.line, t.endLine = t.line+line-1, t.endLine+line-1
		tokens = append(tokens, t)
		switch t.text {
		case "{", "[":
			depth++
		case "}", "]":
			depth--
		}
		if depth == 0 && t.punctuation() {
			break
		}
	}
	return tokens
}

func endOfFlow(lines []string, line, column int) int {
	tokens := flowTokens(lines, line, column)
	if len(tokens) == 0 {
		return line
	}
	return tokens[len(tokens)-1].endLine
}

// next reads a token; comments and white space are passed over.
func (s *scanner) next(before []token) (token, bool) {
	for s.line < len(s.lines) {
		l := s.lines[s.line]
		switch {
		case s.at >= len(l), l[s.at] == '#' && (s.at == 0 || unicode.IsSpace(l[s.at-1])):
			s.line, s.at = s.line+1, 0
		case unicode.IsSpace(l[s.at]):
			s.at++
		default:
			return s.token(before), true
		}
	}
	return token{}, false
}

func (s *scanner) token(before []token) token {
	l := s.lines[s.line]
	t := token{line: s.line + 1, from: s.at}
	switch r := l[s.at]; {
	case strings.ContainsRune("{}[],", r), r == ':' && s.indicator(before):
		s.at++
		t.text = string(r)
	case r == '\'' || r == '"':
		s.quoted(r)
	default:
		s.plain()
	}
	t.to, t.endLine = s.at, s.line+1
	if t.text == "" {
		t.text = " " // any text: only punctuation is looked at
	}
	return t
}

// indicator reports whether the colon under the scanner separates key and value.
func (s *scanner) indicator(before []token) bool {
	l := s.lines[s.line]
	if s.at+1 >= len(l) || unicode.IsSpace(l[s.at+1]) || strings.ContainsRune(",[]{}", l[s.at+1]) {
		return true
	}
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	if last.text == "}" || last.text == "]" {
		return true
	}
	end := s.lines[s.line]
	return last.to == s.at && last.to > 0 && (end[last.to-1] == '"' || end[last.to-1] == '\'')
}

// quoted passes over a quoted text, which may go on on further lines.
func (s *scanner) quoted(quote rune) {
	s.at++
	for s.line < len(s.lines) {
		l := s.lines[s.line]
		switch {
		case s.at >= len(l):
			s.line, s.at = s.line+1, 0
		case quote == '"' && l[s.at] == '\\':
			s.at += 2
		case l[s.at] == quote && quote == '\'' && s.at+1 < len(l) && l[s.at+1] == quote:
			s.at += 2
		case l[s.at] == quote:
			s.at++
			return
		default:
			s.at++
		}
	}
}

// plain passes over a plain text, up to its last character that is no blank.
func (s *scanner) plain() {
	l := s.lines[s.line]
	end := s.at
	for i := s.at; i < len(l); i++ {
		if strings.ContainsRune(",[]{}", l[i]) ||
			l[i] == ':' && (i+1 >= len(l) || unicode.IsSpace(l[i+1]) || strings.ContainsRune(",[]{}", l[i+1])) ||
			l[i] == '#' && i > 0 && unicode.IsSpace(l[i-1]) {
			break
		}
		if !unicode.IsSpace(l[i]) {
			end = i + 1
		}
	}
	s.at = max(end, s.at+1)
}

// endOfQuoted is the last line of a quoted text.
func endOfQuoted(lines []string, n *yaml.Node) int {
	s := newScanner(lines[min(n.Line-1, len(lines)):], 1, n.Column)
	if len(s.lines) == 0 {
		return n.Line
	}
	s.at, _ = skipProperties(s.lines[0], s.at)
	if s.at < len(s.lines[0]) && (s.lines[0][s.at] == '"' || s.lines[0][s.at] == '\'') {
		s.quoted(s.lines[0][s.at])
	}
	return n.Line + min(s.line, len(s.lines)-1)
}

// skipProperties steps over anchors and tags before a value and reports whether
// there were any.
func skipProperties(l []rune, at int) (int, bool) {
	found := false
	for at < len(l) && (l[at] == '&' || l[at] == '!') {
		found = true
		for at < len(l) && !unicode.IsSpace(l[at]) {
			at++
		}
		for at < len(l) && unicode.IsSpace(l[at]) {
			at++
		}
	}
	return at, found
}

// spaceFlows gives flow collections even spacing: { a: b, c: [d, e] }. Line breaks
// in them stay.
func spaceFlows(p *page) {
	for _, d := range p.documents {
		p.eachFlow(d)
	}
}

// eachFlow rewrites the flow collections below a node from the last to the first,
// so that the places of those before stay right.
func (p *page) eachFlow(n *yaml.Node) {
	switch {
	case isFlow(n):
		p.respace(n)
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		for i := len(n.Content) - 1; i >= 0; i-- {
			p.eachFlow(n.Content[i])
		}
	}
}

func (p *page) respace(n *yaml.Node) {
	line := []rune(p.line(n.Line))
	at, _ := skipProperties(line, n.Column-1)
	tokens := flowTokens(p.lines, n.Line, at+1)
	for i := len(tokens) - 1; i > 0; i-- {
		before, t := tokens[i-1], tokens[i]
		if before.endLine != t.line {
			continue
		}
		l := []rune(p.line(t.line))
		p.lines[t.line-1] = string(l[:before.to]) + gap(before, t) + string(l[t.from:])
	}
}

// gap is what stands between two tokens on a line.
func gap(a, b token) string {
	switch {
	case a.text == "{" && b.text == "}", b.text == ",", b.text == ":":
		return ""
	case a.text == "[" && b.text != "{", b.text == "]" && a.text != "}":
		return ""
	}
	return " "
}

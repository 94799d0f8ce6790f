package strictyaml

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	goccy "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// placeable is the size up to which a file with a syntax error is parsed a
// second time to find the column.
const placeable = 1 << 20

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxProblem locates a syntax error. yaml.v3 reports a line at best, sometimes the
// wrong one; a second parser, used for this only, often has the column.
func (f *File) syntaxProblem(err error) Problem {
	message := err.Error()
	line := 0
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	p := Problem{File: f.Name, Line: line, Source: f.line(line), Message: "not valid YAML: " + message}
	if l, c, ok := f.placeSyntax(); ok {
		p.Line, p.Column, p.Length, p.Source = l, c, 1, f.line(l)
	}
	p.Hint = syntaxHint(message, p.Source)
	f.placeAnchor(&p)
	f.placeTab(&p)
	f.placeFirst(&p)
	return p
}

var unknownAnchor = regexp.MustCompile(`unknown anchor '(.+)' referenced`)

// placeAnchor finds the use of an anchor that does not exist, which neither
// parser places.
func (f *File) placeAnchor(p *Problem) {
	m := unknownAnchor.FindStringSubmatch(p.Message)
	if m == nil {
		return
	}
	use := regexp.MustCompile(`(?m)(?:^|[\s\[{,:-])(\*` + regexp.QuoteMeta(m[1]) + `)(?:$|[\s\]},])`)
	if at := use.FindSubmatchIndex(f.text); at != nil {
		hint := p.Hint
		*p = f.problemAt(at[2], at[3]-at[2], p.Message)
		p.Hint = hint
	}
}

// placeTab points at a tab used as indentation, the mistake that parsers
// describe worst.
func (f *File) placeTab(p *Problem) {
	for _, line := range []int{p.Line, p.Line + 1, p.Line - 1} {
		text := f.line(line)
		indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
		if i := strings.IndexByte(indent, '\t'); i >= 0 {
			p.Line, p.Column, p.Length, p.Source = line, i+1, 1, text
			p.Message, p.Hint = "not valid YAML: a tab in the indentation", "indent with spaces"
			return
		}
	}
}

// first finds a value that begins with one of YAML's special characters, which people
// write for what an expression or a pattern means by it.
var first = regexp.MustCompile(`^\s*(?:- )?[A-Za-z_]+:\s+([!*&%@])[^\s'"]`)

// placeFirst points at such a value: parsers complain about what comes after it.
func (f *File) placeFirst(p *Problem) {
	for _, line := range []int{p.Line, p.Line + 1, p.Line - 1} {
		text := f.line(line)
		m := first.FindStringSubmatchIndex(text)
		if m == nil || unknownAnchor.MatchString(p.Message) {
			continue
		}
		sign := text[m[2]:m[3]]
		p.Line, p.Column, p.Length, p.Source = line, utf8.RuneCountInString(text[:m[2]])+1, 1, text
		p.Message = "not valid YAML: a text that begins with " + sign
		p.Hint = "put the text in quotes, or on a line of its own below >"
		return
	}
}

func (f *File) placeSyntax() (line, column int, ok bool) {
	if len(f.text) > placeable {
		return 0, 0, false
	}
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	_, err := parser.ParseBytes(f.text, 0)
	var placed goccy.Error
	if !errors.As(err, &placed) || placed.GetToken() == nil || placed.GetToken().Position == nil {
		return 0, 0, false
	}
	at := placed.GetToken().Position
	if at.Line < 1 || at.Line > len(f.lines) || at.Column < 1 {
		return 0, 0, false
	}
	return at.Line, at.Column, true
}

func syntaxHint(message, source string) string {
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		return "a text with a colon in it needs quotes; or the indentation is wrong"
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "did not find expected '-'"):
		return "check the indentation, and the quotes and brackets above"
	case strings.Contains(message, "found character that cannot start any token"):
		if strings.ContainsAny(source, "@`%") {
			return "a text that begins with @, ` or % needs quotes"
		}
		return "put the text in quotes"
	case strings.Contains(message, "unknown escape"):
		return "backslashes are literal in 'single quotes' and after |"
	case strings.Contains(message, "unexpected end of stream"), strings.Contains(message, "did not find expected ',' or"):
		return "a quote or bracket is not closed"
	case strings.Contains(message, "unknown anchor"):
		return "define it above with &name; a text that begins with * needs quotes"
	}
	return ""
}

package sigma

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf16"

	"gopkg.in/yaml.v3"
)

// text is the condition that a text field fits a value.
func (c *comparison) text(path string, v *yaml.Node) (string, error) {
	if v.Tag == "!!null" {
		if c.op != "" || len(c.forms) > 0 {
			return "", refuse("%s: null has no |%s", c.name, c.op)
		}
		return path + ` == ""`, nil
	}
	switch c.op {
	case "re":
		return c.regexp(path, v.Value)
	case "cidr":
		p, err := netip.ParsePrefix(v.Value)
		if err != nil {
			return "", refuse("%s: %q is not a network", c.name, v.Value)
		}
		return "cidr(" + path + ", " + quote(p.Masked().String()) + ")", nil
	case "lt", "lte", "gt", "gte":
		return "", refuse("%s is a text here: |%s compares numbers", c.name, c.op)
	}
	forms := []string{v.Value}
	for _, encode := range c.forms {
		var encoded []string
		for _, f := range forms {
			e, err := encode(f)
			if err != nil {
				return "", err
			}
			encoded = append(encoded, e...)
		}
		forms = encoded
	}
	var parts []string
	for _, f := range forms {
		p, err := c.pattern(path, parsePattern(f))
		if err != nil {
			return "", err
		}
		parts = append(parts, p)
	}
	return joined("||", parts), nil
}

func (c *comparison) regexp(path, source string) (string, error) {
	for _, f := range c.flags {
		source = "(?" + string(f) + ")" + source
	}
	if _, err := regexp.Compile(source); err != nil {
		why := err.Error()
		if e, ok := err.(*syntax.Error); ok {
			why = e.Code.String() + ": " + e.Expr
		}
		return "", refuse("%s: the regular expression is not one of Go's (%s)", c.name, why)
	}
	return path + " matches " + quote(source), nil
}

// pattern is a value of Sigma: literal text with wildcards.
type pattern []piece

type piece struct {
	wild byte // '*', '?', or 0
	text string
}

// parsePattern reads Sigma's escapes: \* and \? are themselves, \\ is one
// backslash before a wildcard or a backslash, any other backslash is itself.
func parsePattern(s string) pattern {
	var p pattern
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			p = append(p, piece{text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			lit.WriteByte(s[i])
		case s[i] == '*' || s[i] == '?':
			flush()
			p = append(p, piece{wild: s[i]})
		default:
			lit.WriteByte(s[i])
		}
	}
	flush()
	return p
}

// literal is the text of a pattern without wildcards.
func (p pattern) literal() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].wild == 0:
		return p[0].text, true
	}
	return "", false
}

var anything = piece{wild: '*'}

// pattern is the condition that a text fits a pattern, after |contains,
// |startswith and |endswith were made wildcards.
func (c *comparison) pattern(path string, p pattern) (string, error) {
	if c.op == "contains" || c.op == "endswith" {
		p = append(pattern{anything}, p...)
	}
	if c.op == "contains" || c.op == "startswith" {
		p = append(p, anything)
	}
	for len(p) > 1 && p[0] == anything && p[1] == anything {
		p = p[1:]
	}
	for len(p) > 1 && p[len(p)-1] == anything && p[len(p)-2] == anything {
		p = p[:len(p)-1]
	}
	if text, ok := p.literal(); ok {
		if text == "" || c.cased {
			return path + " == " + quote(text), nil
		}
		return "ieq(" + path + ", " + quote(text) + ")", nil
	}
	n := len(p)
	open, closed := p[0] == anything, p[n-1] == anything
	switch {
	case n == 1 && open:
		return path + ` != ""`, nil // Sigma's * wants the field to be there
	case n == 2 && open && p[1].wild == 0:
		return c.call("endsWith", path, p[1].text), nil
	case n == 2 && closed && p[0].wild == 0:
		return c.call("startsWith", path, p[0].text), nil
	case n == 3 && open && closed && p[1].wild == 0:
		return c.call("contains", path, p[1].text), nil
	}
	return c.glob(path, p)
}

// call is a comparison with or without regard to case.
func (c *comparison) call(op, path, text string) string {
	if c.cased {
		return path + " " + op + " " + quote(text)
	}
	return "i" + strings.ToLower(op) + "(" + path + ", " + quote(text) + ")"
}

func (c *comparison) glob(path string, p pattern) (string, error) {
	var b strings.Builder
	for _, x := range p {
		if x.wild != 0 {
			b.WriteByte(x.wild)
			continue
		}
		if strings.ContainsAny(x.text, "*?") {
			return c.wildcardsAsRegexp(path, p)
		}
		b.WriteString(x.text)
	}
	if c.cased {
		return "glob(" + path + ", " + quote(b.String()) + ")", nil
	}
	return "iglob(" + path + ", " + quote(b.String()) + ")", nil
}

// wildcardsAsRegexp is for patterns that have * or ? as themselves too.
func (c *comparison) wildcardsAsRegexp(path string, p pattern) (string, error) {
	re := "(?s)^"
	if !c.cased {
		re = "(?is)^"
	}
	for _, x := range p {
		switch x.wild {
		case '*':
			re += ".*"
		case '?':
			re += "."
		default:
			re += regexp.QuoteMeta(x.text)
		}
	}
	return path + " matches " + quote(re+"$"), nil
}

// quote writes a text as expr-lang reads it: raw where it has backslashes.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.ContainsAny(s, "`\r\n\x00") {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// encodings are the modifiers that change a value before it is compared.
var encodings = map[string]func(string) ([]string, error){
	"windash":      windash,
	"base64":       func(s string) ([]string, error) { return encode(s, base64Of) },
	"base64offset": func(s string) ([]string, error) { return encode(s, base64Offsets) },
	"wide":         func(s string) ([]string, error) { return encode(s, utf16le) },
	"utf16le":      func(s string) ([]string, error) { return encode(s, utf16le) },
}

// encode applies an encoding to a text without wildcards, whose result may have
// characters that would be taken for some.
func encode(s string, f func(string) []string) ([]string, error) {
	text, ok := parsePattern(s).literal()
	if !ok {
		return nil, refuse("%q has wildcards and is to be encoded", s)
	}
	escaped := f(text)
	for i, e := range escaped {
		escaped[i] = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(e)
	}
	return escaped, nil
}

// windash lets the dash of an option be any that Windows programs take.
func windash(s string) ([]string, error) {
	forms := []string{s}
	at := dash.FindAllStringSubmatchIndex(s, -1)
	if len(at) > 3 {
		return nil, refuse("|windash with more than three options in one value")
	}
	for i := len(at) - 1; i >= 0; i-- {
		begin, end := at[i][2], at[i][3]
		var more []string
		for _, f := range forms {
			for _, d := range []string{"-", "/", "–", "—", "―"} {
				more = append(more, f[:begin]+d+f[end:])
			}
		}
		forms = more
	}
	return forms, nil
}

var dash = regexp.MustCompile(`(?:^|\W)([-/])\w`)

func base64Of(s string) []string { return []string{base64.StdEncoding.EncodeToString([]byte(s))} }

// base64Offsets are the parts of the encoded text that do not depend on what
// stands before and after it, for each of the three ways in which it may lie.
func base64Offsets(s string) []string {
	start, end := [3]int{0, 2, 3}, [3]int{0, 3, 2}
	var forms []string
	for i := range 3 {
		e := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + s))
		cut := len(e) - end[(len(s)+i)%3]
		forms = append(forms, e[start[i]:cut])
	}
	return forms
}

func utf16le(s string) []string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return []string{string(b)}
}

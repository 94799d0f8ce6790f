package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"edrpipe/internal/printable"
)

// A Problem is one thing wrong with a file, placed where its author can see it.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column  int    `json:"column,omitempty"` // in characters, from 1
	Length  int    `json:"-"`                // of what the caret points at, in characters
	Path    Path   `json:"path,omitempty"`   // rules[0].steps[1].with.path
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do about it
	Source  string `json:"source,omitempty"`
	Warning bool   `json:"warning,omitempty"` // worth knowing, but the file can be used
}

// String is the one-line form: file:line:column: message, as compilers and
// editors know it.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(shown(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(shown(p.Message))
	return b.String()
}

// Text is the form for people: the one-line form, the source line, a caret and
// the hint.
func (p Problem) Text() string {
	var b strings.Builder
	b.WriteString(p.String())
	b.WriteByte('\n')
	if p.Line > 0 && p.Source != "" {
		line, before := window(p.Source, p.Column)
		fmt.Fprintf(&b, "%6d | %s\n", p.Line, line)
		if p.Column > 0 {
			carets := max(1, min(p.Length, len([]rune(line))-before))
			fmt.Fprintf(&b, "       | %s%s", blank([]rune(line)[:before]), strings.Repeat("^", carets))
			if p.Hint != "" {
				b.WriteString(" " + shown(p.Hint))
			}
			b.WriteByte('\n')
			return b.String()
		}
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "       = %s\n", shown(p.Hint))
	}
	return b.String()
}

// widest is how many characters of a source line are shown.
const widest = 120

// window cuts a long line down to the part around column and returns the number of
// characters before the caret.
func window(source string, column int) (line string, before int) {
	runes := []rune(shown(source))
	before = min(max(column-1, 0), len(runes))
	if len(runes) <= widest {
		return string(runes), before
	}
	start := max(0, before-widest/2)
	end := min(len(runes), start+widest)
	cut := runes[start:end]
	before -= start
	prefix, suffix := "", ""
	if start > 0 {
		prefix = "…"
		before++
	}
	if end < len(runes) {
		suffix = "…"
	}
	return prefix + string(cut) + suffix, before
}

// blank is as wide as the text on a terminal, where the letters of East Asian
// scripts and emoji take two columns. It has a character for each of the
// text's, so that the caret stands at Column whichever way it is counted.
func blank(text []rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
			r >= 0x3000 && r <= 0x303E, r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
			return '\u3000'
		}
		return ' '
	}, string(text))
}

// shown replaces what would move the cursor or change the terminal, one
// character for one.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !printable.Rune(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// Problems is everything wrong with one or more files. It is the error that
// decoding returns.
type Problems []Problem

// Error gives all problems in the form for people.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(strings.TrimSuffix(p.Text(), "\n"))
	}
	return b.String()
}

// Err is nil when there are no problems other than warnings.
func (ps Problems) Err() error {
	if ps.Errors() == 0 {
		return nil
	}
	return ps
}

// Errors counts the problems that are not warnings.
func (ps Problems) Errors() int {
	n := 0
	for _, p := range ps {
		if !p.Warning {
			n++
		}
	}
	return n
}

// Sort orders problems by file and place and removes repetitions.
func (ps Problems) Sort() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}

package strictyaml

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Within is a problem with a part of the text at path: the part of length
// characters that begins offset characters into the text's value. It is exact
// for plain, quoted, literal and folded text, escapes included.
func (d *Document) Within(path Path, offset, length int, message string) Problem {
	_, value, whole := find(d.root, path)
	value = resolve(value)
	if !whole || value.Kind != yaml.ScalarNode {
		return d.At(path, message)
	}
	at, ok := d.file.locate(value, offset)
	if !ok {
		return d.at(value, path, message)
	}
	p := d.file.problemAt(at, max(1, length), message)
	p.Path = path
	return p
}

// locate finds the byte in the file that the character at offset of a scalar's
// value came from. White space differs between value and file (folding,
// indentation), everything else stands in the same order: so it counts the
// characters that are not white space.
func (f *File) locate(n *yaml.Node, offset int) (int, bool) {
	value := []rune(n.Value)
	offset = min(offset, len(value))
	wanted := 0
	for _, r := range value[:offset] {
		if !unicode.IsSpace(r) {
			wanted++
		}
	}
	atEnd := true // only white space follows: point behind the last character
	for _, r := range value[offset:] {
		if !unicode.IsSpace(r) {
			atEnd = false
			break
		}
	}
	if atEnd && wanted == 0 {
		return 0, false
	}
	at := f.contentStart(n)
	for at < len(f.text) {
		r, size := f.scalarRune(n.Style, at)
		if r == utf8.RuneError && size == 0 {
			return 0, false
		}
		if !unicode.IsSpace(r) {
			if wanted == 0 {
				return at, true
			}
			wanted--
			if wanted == 0 && atEnd {
				return at + size, true
			}
		}
		at += size
	}
	return 0, false
}

// contentStart is where the text of a scalar begins: behind the quote, or on
// the line below | and >.
func (f *File) contentStart(n *yaml.Node) int {
	at := f.offset(n.Line, n.Column)
	at = f.skipProperties(at)
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		line := f.lineOf(at)
		if line+1 < len(f.lines) {
			return f.lines[line+1]
		}
		return len(f.text)
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return at + 1
	}
	return at
}

// skipProperties steps over an anchor or tag before a value.
func (f *File) skipProperties(at int) int {
	for at < len(f.text) && (f.text[at] == '&' || f.text[at] == '!') {
		for at < len(f.text) && !isBlank(f.text[at]) {
			at++
		}
		for at < len(f.text) && isBlank(f.text[at]) {
			at++
		}
	}
	return at
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// scalarRune reads the character at a byte offset inside a scalar of the given
// style, undoing its escapes, with the bytes that it takes in the file.
func (f *File) scalarRune(style yaml.Style, at int) (rune, int) {
	rest := f.text[at:]
	r, size := utf8.DecodeRune(rest)
	switch {
	case style&yaml.SingleQuotedStyle != 0 && r == '\'':
		if len(rest) > 1 && rest[1] == '\'' {
			return '\'', 2
		}
		return utf8.RuneError, 0 // the closing quote
	case style&yaml.DoubleQuotedStyle != 0 && r == '"':
		return utf8.RuneError, 0
	case style&yaml.DoubleQuotedStyle != 0 && r == '\\' && len(rest) > 1:
		return escaped(rest)
	}
	return r, size
}

// escaped decodes a backslash escape of a double-quoted scalar.
func escaped(s []byte) (rune, int) {
	digits := 0
	switch s[1] {
	case 'x':
		digits = 2
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case 'n', 't', 'r', ' ', '\n', '\r', '\t', 'v', 'f', 'N', '_', 'L', 'P':
		return ' ', 2
	default:
		return rune(s[1]), 2
	}
	if len(s) < 2+digits {
		return utf8.RuneError, 0
	}
	code, err := strconv.ParseUint(string(s[2:2+digits]), 16, 32)
	if err != nil {
		return utf8.RuneError, 0
	}
	return rune(code), 2 + digits
}

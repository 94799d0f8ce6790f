package events

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// A textPool turns tokens into strings. Text that needs no change is a part of
// the document; the rest is written one after another into chunks, so that an
// event costs a few allocations and not one for each string.
type textPool struct {
	chunk []byte
	bad   bool // text had bytes that are not UTF-8
	nul   bool // text had NULs
}

const poolChunk = 512

// room gives n bytes to append into.
func (p *textPool) room(n int) []byte {
	if cap(p.chunk)-len(p.chunk) < n {
		p.chunk = make([]byte, 0, max(n, poolChunk))
	}
	return p.chunk[len(p.chunk):len(p.chunk):cap(p.chunk)]
}

// take makes what was appended to room a string. The bytes are never written
// again while the string can be seen.
func (p *textPool) take(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if start := len(p.chunk); cap(p.chunk)-start >= len(b) && &p.chunk[:start+1][start] == &b[0] {
		p.chunk = p.chunk[:start+len(b)]
	}
	return unsafe.String(&b[0], len(b))
}

// text is the text of a string token.
func (p *textPool) text(doc string, t token) string {
	s := doc[t.start:t.end]
	if t.escaped {
		s = p.take(unescape(p.room(len(s)), s))
	}
	if !t.escaped && !t.wide {
		return s // neither UTF-8 to check nor a NUL, which JSON can only escape
	}
	return p.clean(s)
}

// clean replaces what a rule or an action should not have to expect in text:
// bytes that are not UTF-8, and NULs, which end a string in C and in the Windows
// API. NULs at the end are only such ends, and go.
func (p *textPool) clean(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.TrimRight(s, "\x00")
		if strings.IndexByte(s, 0) >= 0 {
			p.nul = true
			s = strings.ReplaceAll(s, "\x00", "\uFFFD")
		}
	}
	if !utf8.ValidString(s) {
		p.bad = true
		s = string([]rune(s)) // one U+FFFD for each bad byte, as encoding/json does
	}
	return s
}

// lower is s in lower case, ASCII letters only: for hashes and words.
func (p *textPool) lower(s string) string {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			b := p.room(len(s))
			for j := range len(s) {
				c := s[j]
				if c >= 'A' && c <= 'Z' {
					c |= 0x20
				}
				b = append(b, c)
			}
			return p.take(b)
		}
	}
	return s
}

// unescape appends the text of a JSON string that the lexer has accepted. A
// half of a surrogate pair becomes U+FFFD, as in encoding/json.
func unescape(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return append(b, s...)
		}
		b = append(b, s[:i]...)
		n := 2
		switch c := s[i+1]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hexRune(s[i+2:])
			n = 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if rest := s[i+6:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(rest[2:]))
				}
				if pair != utf8.RuneError {
					n = 12
				}
				r = pair
			}
			b = utf8.AppendRune(b, r)
		default: // a quote, a slash, a backslash
			b = append(b, c)
		}
		s = s[i+n:]
	}
}

// hexRune reads four hex digits.
func hexRune(s string) rune {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

package events

import (
	"encoding/binary"
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

// take makes a string of the bytes appended to room. They are not overwritten during
// the lifetime of the string.
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
	nul := false
	if t.escaped {
		var n int
		b := p.room(len(s))[:len(s)]
		n, nul = unescape(b, s)
		s = p.take(b[:n])
	}
	if !nul && !t.wide {
		return s // JSON can only escape a NUL, and only bytes beyond ASCII can be no UTF-8
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

// lower is s in lower case, ASCII letters only: for hashes, words and Windows paths.
func (p *textPool) lower(s string) string {
	first := firstUpper(s)
	if first < 0 {
		return s
	}
	b := append(p.room(len(s)), s...)
	for i := first; i < len(b); i++ {
		b[i] = lowerASCII(b[i])
	}
	return p.take(b)
}

// firstUpper is the place of a capital ASCII letter before which there is none, rounded
// down to the word of eight bytes that it stands in; -1 without one.
func firstUpper(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if upper(load64(s[i:])) != 0 {
			return i
		}
	}
	for ; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return i
		}
	}
	return -1
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// unescape writes the text of a JSON string that the lexer has accepted to b,
// which is as long as the string, and returns the length of the text and whether it
// has NULs. A lone surrogate becomes U+FFFD, as in encoding/json.
func unescape(b []byte, s string) (n int, nul bool) {
	for i := 0; i < len(s); {
		if i+8 <= len(s) { // copied before it is looked at: what is too much is written over
			w := load64(s[i:])
			binary.LittleEndian.PutUint64(b[n:], w)
			marks := equal(w, '\\')
			if marks == 0 {
				i, n = i+8, n+8
				continue
			}
			plain := firstMark(marks)
			i, n = i+plain, n+plain
		}
		if s[i] != '\\' {
			b[n] = s[i]
			i, n = i+1, n+1
			continue
		}
		if c := s[i+1]; c != 'u' {
			b[n] = escapes[c]
			i, n = i+2, n+1
			continue
		}
		r, length := escapedRune(s[i:])
		nul = nul || r == 0
		i, n = i+length, n+utf8.EncodeRune(b[n:], r)
	}
	return n, nul
}

// unescaped is unescape into new memory.
func unescaped(s string) string {
	b := make([]byte, len(s))
	n, _ := unescape(b, s)
	return string(b[:n])
}

// escapedRune reads a \u escape, or a pair of them that is one character.
func escapedRune(s string) (r rune, length int) {
	r = hexRune(s[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if rest := s[6:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(rest[2:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
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

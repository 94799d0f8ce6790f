package events

import (
	"errors"
	"fmt"
	"math/bits"
)

// A token is a JSON value in place: where it lies in its document, not what it
// means. Most values of most events are never looked at, so none is decoded
// before it is.
type token struct {
	start, end int32 // of a string, without its quotes
	kind       tokenKind
	escaped    bool // a string with backslashes
	wide       bool // a string with bytes beyond ASCII
	seen       uint32
}

type tokenKind uint8

const (
	absent tokenKind = iota
	nullToken
	trueToken
	falseToken
	numberToken
	stringToken
	objectToken
	arrayToken
)

var (
	errSyntax = errors.New("not valid JSON")
	errShort  = errors.New("JSON ends in the middle")
	errDepth  = fmt.Errorf("JSON nested deeper than %d", maxDepth)
)

// A lexer walks over one JSON text, checking all of it as strictly as
// encoding/json does, and records the values of the keys that it is asked for.
type lexer struct {
	s     string
	i     int
	depth int
	err   error
}

// fail records the first error; a lexer that has failed is done.
func (l *lexer) fail(err error) bool {
	if l.err == nil {
		if err == errSyntax && l.i >= len(l.s) {
			err = errShort
		}
		l.err = fmt.Errorf("%w, at byte %d", err, min(l.i, len(l.s)))
	}
	return false
}

func (l *lexer) space() {
	for l.i < len(l.s) {
		switch l.s[l.i] {
		case ' ', '\t', '\n', '\r':
			l.i++
		default:
			return
		}
	}
}

// value walks over any value.
func (l *lexer) value(t *token) bool {
	if l.i >= len(l.s) {
		return l.fail(errShort)
	}
	start := l.i
	switch c := l.s[l.i]; {
	case c == '"':
		l.i++
		return l.text(t)
	case c == '{':
		if !l.object(nil) {
			return false
		}
		t.kind = objectToken
	case c == '[':
		if !l.array() {
			return false
		}
		t.kind = arrayToken
	case c == '-' || c >= '0' && c <= '9':
		if !l.number() {
			return false
		}
		t.kind = numberToken
	case c == 't':
		t.kind = trueToken
		l.word("true")
	case c == 'f':
		t.kind = falseToken
		l.word("false")
	case c == 'n':
		t.kind = nullToken
		l.word("null")
	default:
		return l.fail(errSyntax)
	}
	t.start, t.end = int32(start), int32(l.i)
	return l.err == nil
}

func (l *lexer) word(w string) {
	for j := range len(w) {
		if l.i >= len(l.s) || l.s[l.i] != w[j] {
			l.fail(errSyntax)
			return
		}
		l.i++
	}
}

// object walks over an object. With values, it records those that have a
// place there; of a repeated key the last one counts.
func (l *lexer) object(values *values) bool {
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth)
	}
	l.i++
	l.space()
	if l.i < len(l.s) && l.s[l.i] == '}' {
		l.i++
		l.depth--
		return true
	}
	for {
		if l.i >= len(l.s) || l.s[l.i] != '"' {
			return l.fail(errSyntax)
		}
		l.i++
		var key, scrap token
		if !l.text(&key) {
			return false
		}
		l.space()
		if l.i >= len(l.s) || l.s[l.i] != ':' {
			return l.fail(errSyntax)
		}
		l.i++
		l.space()
		slot := &scrap
		documents := false
		if values != nil {
			if at, k := values.place(l.s, key); at != nil {
				slot = at
				documents = k == keyDocs && values.docs != nil
			}
		}
		if documents && l.i < len(l.s) && l.s[l.i] == '[' {
			if !l.documents(slot, values) {
				return false
			}
		} else if !l.value(slot) {
			return false
		}
		l.space()
		if l.i >= len(l.s) {
			return l.fail(errShort)
		}
		switch l.s[l.i] {
		case ',':
			l.i++
			l.space()
		case '}':
			l.i++
			l.depth--
			return true
		default:
			return l.fail(errSyntax)
		}
	}
}

func (l *lexer) array() bool {
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth)
	}
	l.i++
	l.space()
	if l.i < len(l.s) && l.s[l.i] == ']' {
		l.i++
		l.depth--
		return true
	}
	for {
		var scrap token
		if !l.value(&scrap) {
			return false
		}
		l.space()
		if l.i >= len(l.s) {
			return l.fail(errShort)
		}
		switch l.s[l.i] {
		case ',':
			l.i++
			l.space()
		case ']':
			l.i++
			l.depth--
			return true
		default:
			return l.fail(errSyntax)
		}
	}
}

// documents walks over a hit's array of documents and notes the first one's
// values.
func (l *lexer) documents(t *token, values *values) bool {
	start := l.i
	values.docCount, values.firstDoc = 0, span{}
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth)
	}
	l.i++
	for l.space(); l.i >= len(l.s) || l.s[l.i] != ']'; l.space() {
		if values.docCount > 0 {
			if l.i >= len(l.s) || l.s[l.i] != ',' {
				return l.fail(errSyntax)
			}
			l.i++
			l.space()
		}
		at := l.i
		if values.docCount == 0 && at < len(l.s) && l.s[at] == '{' {
			values.docs.begin(l.s)
			if !l.object(values.docs) {
				return false
			}
			values.firstDoc = span{at, l.i}
		} else if scrap := (token{}); !l.value(&scrap) {
			return false
		}
		values.docCount++
	}
	l.i++
	l.depth--
	t.kind, t.start, t.end = arrayToken, int32(start), int32(l.i)
	return true
}

func (l *lexer) digits() bool {
	start := l.i
	for l.i < len(l.s) && l.s[l.i]-'0' <= 9 {
		l.i++
	}
	return l.i > start || l.fail(errSyntax)
}

func (l *lexer) number() bool {
	if l.s[l.i] == '-' {
		l.i++
	}
	if l.i < len(l.s) && l.s[l.i] == '0' {
		l.i++
	} else if !l.digits() {
		return false
	}
	if l.i < len(l.s) && l.s[l.i] == '.' {
		l.i++
		if !l.digits() {
			return false
		}
	}
	if l.i < len(l.s) && l.s[l.i]|0x20 == 'e' {
		l.i++
		if l.i < len(l.s) && (l.s[l.i] == '+' || l.s[l.i] == '-') {
			l.i++
		}
		return l.digits()
	}
	return true
}

// text walks over a string whose opening quote is behind it: eight bytes at a
// time while nothing in them needs a closer look.
func (l *lexer) text(t *token) bool {
	start, i, s := l.i, l.i, l.s
	escaped, wide := false, false
	for {
		for i+8 <= len(s) {
			stop := specialBytes(load64(s[i:]))
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) >> 3
			break
		}
		if i >= len(s) {
			l.i = i
			return l.fail(errShort)
		}
		switch c := s[i]; {
		case c == '"':
			*t = token{start: int32(start), end: int32(i), kind: stringToken, escaped: escaped, wide: wide, seen: t.seen}
			l.i = i + 1
			return true
		case c == '\\':
			escaped = true
			n := escapeLength(s[i:])
			if n == 0 {
				l.i = min(len(s), i+6)
				return l.fail(errSyntax)
			}
			i += n
		case c < 0x20:
			l.i = i
			return l.fail(errSyntax)
		default:
			wide = wide || c >= 0x80
			i++
		}
	}
}

// escapeLength is the length of the escape sequence that s begins with, or 0.
func escapeLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) < 6 {
			return 0
		}
		for i := 2; i < 6; i++ {
			if c := s[i] | 0x20; !isLowerHex(c) || s[i] < '0' {
				return 0
			}
		}
		return 6
	}
	return 0
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// specialBytes marks, in the top bit of each byte, the quotes, backslashes,
// control characters and non-ASCII bytes of a word. Marks above the lowest may
// be false, so a caller looks at the lowest only.
func specialBytes(w uint64) uint64 {
	const (
		ones  = 0x0101010101010101
		tops  = 0x8080808080808080
		quote = ones * '"'
		slash = ones * '\\'
	)
	q, b := w^quote, w^slash
	return (w | (w - ones*0x20) | (q-ones)&^q | (b-ones)&^b) & tops
}

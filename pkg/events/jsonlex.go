package events

import (
	"errors"
	"fmt"
	"strings"
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

// A lexer walks over one JSON text, checks all of it as strictly as encoding/json does,
// and records the values of the keys in its dictionary. Its methods take the index of
// the first byte of an element and return the index after it, or failed.
type lexer struct {
	s     string
	depth int
	err   error
}

// failed is the index after an error, which is in l.err.
const failed = -1

func (l *lexer) fail(err error, at int) int {
	if err == errSyntax && at >= len(l.s) {
		err = errShort
	}
	l.err = fmt.Errorf("%w, at byte %d", err, min(at, len(l.s)))
	return failed
}

func (l *lexer) space(i int) int {
	for i < len(l.s) && l.s[i] <= ' ' && (l.s[i] == ' ' || l.s[i] == '\n' || l.s[i] == '\t' || l.s[i] == '\r') {
		i++
	}
	return i
}

// at is the byte at a place, 0 behind the end.
func (l *lexer) at(i int) byte {
	if i < len(l.s) {
		return l.s[i]
	}
	return 0
}

// value walks over any value.
func (l *lexer) value(i int, t *token) int {
	end := i
	switch c := l.at(i); {
	case c == '"':
		return l.text(i+1, t)
	case c-'0' <= 9 || c == '-':
		t.kind, end = numberToken, l.number(i)
	case c == '{':
		t.kind, end = objectToken, l.object(i, nil)
	case c == '[':
		t.kind, end = arrayToken, l.array(i)
	case c == 't':
		t.kind, end = trueToken, l.word(i, "true")
	case c == 'f':
		t.kind, end = falseToken, l.word(i, "false")
	case c == 'n':
		t.kind, end = nullToken, l.word(i, "null")
	default:
		return l.fail(errSyntax, i)
	}
	t.start, t.end = int32(i), int32(end)
	return end
}

func (l *lexer) word(i int, w string) int {
	if strings.HasPrefix(l.s[i:], w) {
		return i + len(w)
	}
	for j := 0; l.at(i) == w[j]; j++ {
		i++
	}
	return l.fail(errSyntax, i)
}

// object walks over an object. With values, it records those that have a
// place there; of a repeated key the last one counts.
func (l *lexer) object(i int, values *values) int {
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth, i)
	}
	i = l.space(i + 1)
	if l.at(i) == '}' {
		l.depth--
		return i + 1
	}
	for {
		if l.at(i) != '"' {
			return l.fail(errSyntax, i)
		}
		var scrap token
		slot, documents := &scrap, false
		if values == nil {
			i = l.text(i+1, &scrap)
		} else {
			var k key
			var wanted bool
			if k, wanted, i = l.key(i+1, values.dict); wanted {
				slot, documents = values.place(k), k == keyDocs && values.docs != nil
			}
		}
		if i == failed {
			return failed
		}
		if i = l.space(i); l.at(i) != ':' {
			return l.fail(errSyntax, i)
		}
		if i = l.space(i + 1); documents && l.at(i) == '[' {
			i = l.documents(i, slot, values)
		} else {
			i = l.value(i, slot)
		}
		if i == failed {
			return failed
		}
		switch i = l.space(i); l.at(i) {
		case ',':
			i = l.space(i + 1)
		case '}':
			l.depth--
			return i + 1
		default:
			return l.fail(errSyntax, i)
		}
	}
}

// key walks over a key after its opening quote and looks it up in the dictionary.
// Almost every key is short and plain: it is looked up by its bytes in one load.
func (l *lexer) key(i int, dict *dictionary) (k key, wanted bool, end int) {
	if i+16 <= len(l.s) {
		low, high := load64(l.s[i:]), load64(l.s[i+8:])
		n := firstMark(special(low))
		if n == 8 {
			n += firstMark(special(high))
		}
		if n < 16 && l.s[i+n] == '"' {
			k, wanted = dict.short(low&firstBytes(min(n, 8)), high&firstBytes(max(n-8, 0)))
			return k, wanted, i + n + 1
		}
	}
	var name token
	if end = l.text(i, &name); end == failed {
		return 0, false, failed
	}
	text := l.s[name.start:name.end]
	if name.escaped {
		text = unescaped(text)
	}
	k, wanted = dict.find(text)
	return k, wanted, end
}

func (l *lexer) array(i int) int {
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth, i)
	}
	i = l.space(i + 1)
	if l.at(i) == ']' {
		l.depth--
		return i + 1
	}
	for {
		var scrap token
		if i = l.value(i, &scrap); i == failed {
			return failed
		}
		switch i = l.space(i); l.at(i) {
		case ',':
			i = l.space(i + 1)
		case ']':
			l.depth--
			return i + 1
		default:
			return l.fail(errSyntax, i)
		}
	}
}

// documents walks over a hit's array of documents and notes the first one's
// values.
func (l *lexer) documents(i int, t *token, values *values) int {
	start := i
	values.docCount, values.firstDoc = 0, span{}
	if l.depth++; l.depth > maxDepth {
		return l.fail(errDepth, i)
	}
	for i = l.space(i + 1); l.at(i) != ']'; i = l.space(i) {
		if values.docCount > 0 {
			if l.at(i) != ',' {
				return l.fail(errSyntax, i)
			}
			i = l.space(i + 1)
		}
		at := i
		if values.docCount == 0 && l.at(at) == '{' {
			values.docs.begin(l.s)
			i = l.object(i, values.docs)
			values.firstDoc = span{at, i}
		} else {
			i = l.value(i, new(token))
		}
		if i == failed {
			return failed
		}
		values.docCount++
	}
	l.depth--
	t.kind, t.start, t.end = arrayToken, int32(start), int32(i+1)
	return i + 1
}

func (l *lexer) digits(i int) int {
	start := i
	for i+8 <= len(l.s) {
		if marks := nonDigits(load64(l.s[i:])); marks != 0 {
			i += firstMark(marks)
			break
		}
		i += 8
	}
	for l.at(i)-'0' <= 9 {
		i++
	}
	if i == start {
		return l.fail(errSyntax, i)
	}
	return i
}

func (l *lexer) number(i int) int {
	if l.s[i] == '-' {
		i++
	}
	if l.at(i) == '0' {
		i++
	} else if i = l.digits(i); i == failed {
		return failed
	}
	if l.at(i) == '.' {
		if i = l.digits(i + 1); i == failed {
			return failed
		}
	}
	if l.at(i)|0x20 != 'e' {
		return i
	}
	if i++; l.at(i) == '+' || l.at(i) == '-' {
		i++
	}
	return l.digits(i)
}

// nonDigits marks the bytes of a word that are no decimal digits, as special does.
func nonDigits(w uint64) uint64 {
	w ^= ones * '0' // 0 to 9 for digits
	return (w | (w + ones*0x76)) & tops
}

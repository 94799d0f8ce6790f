package events

import "math/bits"

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// text walks over a string after its opening quote, eight bytes at a time as long as
// they are plain.
func (l *lexer) text(i int, t *token) int {
	s := l.s
	start := i
	escaped, wide := false, false
	for {
		for i+8 <= len(s) {
			marks := special(load64(s[i:]))
			if marks == 0 {
				i += 8
				continue
			}
			i += firstMark(marks)
			break
		}
		if i >= len(s) {
			return l.fail(errShort, i)
		}
		switch c := s[i]; {
		case c == '"':
			t.start, t.end, t.kind, t.escaped, t.wide = int32(start), int32(i), stringToken, escaped, wide
			return i + 1
		case c == '\\':
			escaped = true
			if escapes[l.at(i+1)] != 0 {
				i += 2
				continue
			}
			if !isUnicodeEscape(s[i:]) {
				return l.fail(errSyntax, min(len(s), i+6))
			}
			i += 6
		case c < ' ':
			return l.fail(errSyntax, i)
		default:
			wide = wide || c >= 0x80
			i++
		}
	}
}

// escapes are the characters that stand behind a backslash for others or for
// themselves; 0 for those that may not stand there, and for u.
var escapes = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '/': '/', '\\': '\\'}

// isUnicodeEscape reports whether s begins with a backslash, a u and four hex digits.
func isUnicodeEscape(s string) bool {
	if len(s) < 6 || s[1] != 'u' {
		return false
	}
	for i := 2; i < 6; i++ {
		if c := s[i] | 0x20; !isLowerHex(c) || s[i] < '0' {
			return false
		}
	}
	return true
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special marks, in the top bit of each byte, the quotes, backslashes, control
// characters and non-ASCII bytes of a word. Marks above the lowest may be false:
// a subtraction borrows from the byte above.
func special(w uint64) uint64 {
	quote, slash := w^ones*'"', w^ones*'\\'
	return (w | (w - ones*' ') | (quote-ones)&^quote | (slash-ones)&^slash) & tops
}

// equal marks the bytes of a word that are c, as special does.
func equal(w uint64, c byte) uint64 {
	w ^= ones * uint64(c)
	return (w - ones) &^ w & tops
}

// upper marks the bytes of a word that are capital ASCII letters, exactly.
func upper(w uint64) uint64 {
	low := w &^ tops
	return (low + ones*(0x80-'A')) &^ (low + ones*(0x7f-'Z')) &^ w & tops
}

// firstMark is the place of the first byte that is marked, 8 when none is.
func firstMark(marks uint64) int { return bits.TrailingZeros64(marks) >> 3 }

// firstBytes is a mask of the first n bytes of a word.
func firstBytes(n int) uint64 { return 1<<(8*uint(n)) - 1 }

package index

import (
	"encoding/binary"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The index compares texts without regard to case by mapping both sides to one
// canonical form. The form must identify at least what any operator of the
// language identifies: lower() and upper() (unicode.ToLower, ToUpper), (?i)
// (unicode.SimpleFold) and strings.EqualFold. These four do not agree: U+0130 and
// U+0131 have no fold orbit though lower("İ") is "i" and upper("ı") is "I"; U+212A, ſ
// and ς are folded by some only. So the canonical form is that of the equivalence
// classes closed under all four. It may identify too much (the expression decides),
// never too little.

// canonicalRunes maps each rune that has case, and is not ASCII, to the
// representative of its class.
var canonicalRunes = sync.OnceValue(func() map[rune]rune {
	parent := map[rune]rune{}
	var find func(rune) rune
	find = func(r rune) rune {
		p, ok := parent[r]
		if !ok || p == r {
			return r
		}
		p = find(p)
		parent[r] = p
		return p
	}
	join := func(a, b rune) {
		a, b = find(a), find(b)
		if a > b {
			a, b = b, a // the smallest is the representative: ASCII wins
		}
		parent[b] = a
	}
	for _, cr := range unicode.CaseRanges {
		for r := rune(cr.Lo); r <= rune(cr.Hi); r++ {
			join(r, unicode.ToLower(r))
			join(r, unicode.ToUpper(r))
			join(r, unicode.ToTitle(r))
			join(r, unicode.SimpleFold(r))
		}
	}
	canon := make(map[rune]rune, len(parent))
	for r := range parent {
		if c := lowerASCII(find(r)); r >= utf8.RuneSelf && c != r {
			canon[r] = c
		}
	}
	return canon
})

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// canonicalRune is the representative of r's class: lower case for ASCII.
func canonicalRune(r rune) rune {
	if r < utf8.RuneSelf {
		return lowerASCII(r)
	}
	if c, ok := canonicalRunes()[r]; ok {
		return c
	}
	return r
}

// appendCanonical appends the canonical form of s to dst and reports whether s is ASCII.
// An invalid byte becomes U+FFFD, as in strings.ToLower and regexp.
func appendCanonical(dst []byte, s string) (_ []byte, ascii bool) {
	start := len(dst)
	dst = append(dst, s...)
	if lowerASCIIBytes(dst[start:]) {
		return dst, true
	}
	dst = dst[:start]
	for _, r := range s {
		dst = utf8.AppendRune(dst, canonicalRune(r))
	}
	return dst, false
}

// lowerASCIIBytes makes upper-case letters lower, eight bytes at a time, up to
// the first byte beyond ASCII, and reports whether there is none.
func lowerASCIIBytes(b []byte) bool {
	const (
		ones = 0x0101010101010101
		tops = 0x8080808080808080
	)
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		if w&tops != 0 {
			return false
		}
		// Below 0x80 nothing carries: the sums have the top bit where a byte is at least the bound.
		upper := (w + ones*(0x80-'A')) &^ (w + ones*(0x7f-'Z')) & tops
		binary.LittleEndian.PutUint64(b, w|upper>>2)
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
		b[i] = byte(lowerASCII(rune(c)))
	}
	return true
}

func canonical(s string) string {
	b, _ := appendCanonical(nil, s)
	return string(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Package printable makes text from endpoints, servers and events harmless on a
// terminal. Words of any script stay as they were written. Control characters,
// escape sequences, and the characters that reorder or hide text are shown as the
// escapes of JSON, so that a JSON document stays one.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rune reports whether a character is shown by every terminal as text, in the
// order written.
func Rune(r rune) bool {
	switch r {
	case '\u200c', '\u200d': // joiners: words of Persian, Hindi and emoji need them
		return true
	}
	return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r)
}

// Line returns s on one line.
func Line(s string) string { return escape(s, "") }

// Text returns s with its line breaks and tabs.
func Text(s string) string {
	return escape(strings.ReplaceAll(s, "\r\n", "\n"), "\n\t")
}

// escape shows what is not printable, except the characters of keep. Bytes that
// are not UTF-8 become U+FFFD.
func escape(s, keep string) string {
	bad := func(r rune) bool { return !Rune(r) && !strings.ContainsRune(keep, r) }
	if utf8.ValidString(s) && !strings.ContainsFunc(s, bad) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !bad(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

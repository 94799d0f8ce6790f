package edr

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"edrpipe/internal/printable"
)

// Quote returns text of an endpoint, such as a path, between double quotes on one line.
// Backslashes stay single, so that a Windows path can be copied from an error. What a
// terminal would interpret, a double quote, and a byte that is not UTF-8 become <U+000A>,
// <U+0022> and <0xFF>. Different texts have different quotes: a text that holds such a mark
// itself has its < as <U+003C>.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "<0x%02X>", rest[0])
		case r == '"', !printable.Rune(r), r == '<' && looksMarked(rest):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	b.WriteByte('"')
	return b.String()
}

// looksMarked reports whether text begins as a mark of Quote does.
func looksMarked(text string) bool {
	return strings.HasPrefix(text, "<U+") || strings.HasPrefix(text, "<0x")
}

package lsp

import (
	"testing"

	"go.lsp.dev/protocol"
)

// TestReplace: positions count UTF-16, as the protocol has it.
func TestReplace(t *testing.T) {
	at := func(line, character uint32) protocol.Position {
		return protocol.Position{Line: line, Character: character}
	}
	for _, c := range []struct {
		text     string
		from, to protocol.Position
		with     string
		want     string
	}{
		{"a🦊b", at(0, 3), at(0, 4), "c", "a🦊c"},
		{"éab", at(0, 1), at(0, 2), "", "éb"},
		{"a\nb\nc", at(0, 1), at(2, 0), "-", "a-c"},
		{"a\nb", at(1, 1), at(1, 1), "\r\nc", "a\nb\nc"},
		{"a\nb", at(9, 9), at(9, 9), "c", "a\nbc"},
		{"ab", at(0, 2), at(0, 1), "c", "ac"},
		{"", at(0, 0), at(0, 0), "x\ny", "x\ny"},
	} {
		got := newText(c.text)
		got.replace(protocol.Range{Start: c.from, End: c.to}, c.with)
		if got.String() != c.want {
			t.Errorf("%q from %v to %v with %q is %q, want %q", c.text, c.from, c.to, c.with, got, c.want)
		}
	}
}

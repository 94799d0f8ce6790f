package lsp

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.lsp.dev/protocol"
)

// text is an open file, by lines without their ends.
type text struct {
	lines []string
}

func newText(s string) *text {
	return &text{lines: strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")}
}

func (t *text) String() string { return strings.Join(t.lines, "\n") }

// line is a line by its number from 0; beyond the end it is empty.
func (t *text) line(n int) string {
	if n < 0 || n >= len(t.lines) {
		return ""
	}
	return t.lines[n]
}

// offset is where a position lies in its line, in bytes. Positions count UTF-16.
func (t *text) offset(p protocol.Position) int {
	units := 0
	line := t.line(int(p.Line))
	for i, r := range line {
		if units >= int(p.Character) {
			return i
		}
		units += max(1, utf16.RuneLen(r))
	}
	return len(line)
}

// position is the place of a byte in a line.
func (t *text) position(line, offset int) protocol.Position {
	units := 0
	l := t.line(line)
	for _, r := range l[:min(max(offset, 0), len(l))] {
		units += max(1, utf16.RuneLen(r))
	}
	return protocol.Position{Line: uint32(max(line, 0)), Character: uint32(units)}
}

// span is the place of a part of a line.
func (t *text) span(line, from, to int) protocol.Range {
	return protocol.Range{Start: t.position(line, from), End: t.position(line, to)}
}

// runes turns a column in characters, from 0, into bytes.
func (t *text) runes(line, column int) int {
	l := t.line(line)
	at := 0
	for range column {
		if at >= len(l) {
			break
		}
		_, size := utf8.DecodeRuneInString(l[at:])
		at += size
	}
	return at
}

// replace puts a new text in a place. A place beyond the end is at the end.
func (t *text) replace(r protocol.Range, with string) {
	start, end := t.clamp(r.Start), t.clamp(r.End)
	if end.Line < start.Line || end.Line == start.Line && end.Character < start.Character {
		start, end = end, start
	}
	before := t.line(int(start.Line))[:t.offset(start)]
	after := t.line(int(end.Line))[t.offset(end):]
	middle := strings.Split(strings.ReplaceAll(before+with+after, "\r\n", "\n"), "\n")
	lines := append([]string{}, t.lines[:start.Line]...)
	lines = append(lines, middle...)
	t.lines = append(lines, t.lines[end.Line+1:]...)
}

func (t *text) clamp(p protocol.Position) protocol.Position {
	if int(p.Line) >= len(t.lines) {
		return t.position(len(t.lines)-1, len(t.lines[len(t.lines)-1]))
	}
	return p
}

// whole is the place of all of the text.
func (t *text) whole() protocol.Range {
	last := len(t.lines) - 1
	return protocol.Range{End: t.position(last, len(t.lines[last]))}
}

package main

import (
	"fmt"
	"io"
	"strings"

	"edrpipe/internal/printable"
)

// countBar shows on a terminal how many of a known number are done. On anything
// else it shows nothing.
type countBar struct {
	out         io.Writer // nil: nobody watches
	done, total int
}

func newCountBar(out io.Writer, total int) *countBar {
	if !isTerminal(out) {
		out = nil
	}
	return &countBar{out: unfiltered(out), total: total}
}

// step counts one more.
func (b *countBar) step(verb string) {
	b.done++
	b.say(verb)
}

// say shows the bar with a text, cut to a line.
func (b *countBar) say(text string) {
	if b.out == nil {
		return
	}
	const width = 20
	full := b.done * width / max(b.total, 1)
	line := []rune(printable.Line(text))
	fmt.Fprintf(b.out, "\r\x1b[K%s%s %d/%d %s", strings.Repeat("█", full), strings.Repeat("░", width-full), b.done, b.total, string(line[:min(len(line), 90)]))
}

// end removes the bar.
func (b *countBar) end() {
	if b.out != nil {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// countProgress draws a bar on a terminal, by how many of a known number are done.
type countProgress struct {
	out  io.Writer // nil: nobody watches
	what string
	last time.Time
}

func newCountProgress(out io.Writer, what string) *countProgress {
	if !isTerminal(out) {
		out = nil
	}
	return &countProgress{out: unfiltered(out), what: what}
}

// show draws the bar, ten times a second at most.
func (p *countProgress) show(done, all int) {
	now := time.Now()
	if p.out == nil || now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = now
	const width = 30
	full := min(done*width/max(all, 1), width)
	fmt.Fprintf(p.out, "\r\x1b[K%s%s %d of %d %s", strings.Repeat("█", full), strings.Repeat("░", width-full), done, all, p.what)
}

// end removes the bar.
func (p *countProgress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

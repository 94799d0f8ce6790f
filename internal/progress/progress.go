// Package progress redraws one line of a terminal with a bar and a text.
package progress

import (
	"fmt"
	"io"
	"strings"
	"time"

	"edrpipe/internal/printable"
)

const (
	width    = 30                     // of the bar, in columns
	longest  = 90                     // of the text, in characters: the line must not wrap
	interval = 100 * time.Millisecond // the line is redrawn once in it at most
	wipe     = "\r\x1b[K"
)

// Bar is the line. It is for one goroutine.
type Bar struct {
	out   io.Writer // nil: silent
	drawn time.Time
}

// New draws on out, a terminal; with nil nothing is drawn.
func New(out io.Writer) *Bar { return &Bar{out: out} }

// Draw redraws the line: the part that is done (0 to 1; negative: not known, no bar)
// and a text, which is made printable and cut. Calls within 100 ms are ignored.
func (b *Bar) Draw(part float64, text string) {
	now := time.Now()
	if b.out == nil || now.Sub(b.drawn) < interval {
		return
	}
	b.drawn = now
	bar := ""
	if part >= 0 {
		full := int(min(part, 1) * width)
		bar = strings.Repeat("█", full) + strings.Repeat("░", width-full) + " "
	}
	line := []rune(printable.Line(text))
	fmt.Fprint(b.out, wipe, bar, string(line[:min(len(line), longest)]))
}

// Count draws how many of a known number are done.
func (b *Bar) Count(done, all int, text string) {
	b.Draw(float64(done)/float64(max(all, 1)), fmt.Sprintf("%d of %d %s", done, all, text))
}

// End wipes the line if anything was drawn.
func (b *Bar) End() {
	if b.out != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.out, wipe)
	}
}

package demo

import (
	"strings"
	"testing"
	"time"

	"edrpipe/internal/printable"
)

// TestTheStatusLineIsDrawnOnATerminal: the output of every command shows sequences that
// move the cursor as text, and the status line needs one.
func TestTheStatusLineIsDrawnOnATerminal(t *testing.T) {
	t.Parallel()
	var terminal strings.Builder
	s := &Screen{Out: &printable.Writer{Out: &terminal, Colors: true}, Bar: &terminal, Terminal: true, Width: 80, Start: time.Now()}
	s.Status("jobs: %d", 1)
	s.Say(MarkDone, "job x on \x1b[2J")
	shown := terminal.String()
	if !strings.Contains(shown, "\r\x1b[2K") || !strings.Contains(shown, "\x1b[2mjobs: 1") || strings.Contains(shown, `\u001b[2mjobs`) {
		t.Errorf("the status line came as %q", shown)
	}
	if strings.Contains(shown, "\x1b[2J") {
		t.Errorf("text of an endpoint commands the terminal: %q", shown)
	}
}

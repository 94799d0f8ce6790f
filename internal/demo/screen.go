package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Screen is where the story is told: plain lines, and on a terminal also colours
// and a last line that says what goes on right now.
type Screen struct {
	Out      io.Writer
	Terminal bool // colours and the status line
	Start    time.Time

	mu     sync.Mutex
	status string
}

// Mark says what sort of line it is.
type Mark struct {
	Word  string
	Color text.Color
}

// Marks of the lines.
var (
	MarkStory  = Mark{"story", text.FgHiWhite}
	MarkMatch  = Mark{"match", text.FgCyan}
	MarkWait   = Mark{"wait", text.FgYellow}
	MarkStep   = Mark{"step", text.FgGreen}
	MarkFail   = Mark{"failed", text.FgRed}
	MarkDone   = Mark{"done", text.FgHiGreen}
	MarkRefuse = Mark{"no job", text.FgMagenta}
	MarkDead   = Mark{"dead", text.FgRed}
)

// Say prints a line.
func (s *Screen) Say(m Mark, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	word := fmt.Sprintf("%-7s", m.Word)
	line := fmt.Sprintf(format, args...)
	if s.Terminal {
		word = m.Color.Sprint(word)
	}
	fmt.Fprintf(s.Out, "%6.1fs  %s %s\n", time.Since(s.Start).Seconds(), word, line)
	s.draw()
}

// Status sets the last line; it is only shown on a terminal.
func (s *Screen) Status(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.status = fmt.Sprintf(format, args...)
	s.draw()
}

// Plain prints text as it is, without time and mark.
func (s *Screen) Plain(lines string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintln(s.Out, strings.TrimRight(lines, "\n"))
	s.draw()
}

func (s *Screen) clear() {
	if s.Terminal && s.status != "" {
		fmt.Fprint(s.Out, "\r\x1b[2K")
	}
}

func (s *Screen) draw() {
	if s.Terminal && s.status != "" {
		fmt.Fprint(s.Out, text.Faint.Sprint(s.status))
	}
}

package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Screen is the output of the demo: plain lines, and on a terminal also colours and a
// status line at the end.
type Screen struct {
	Out      io.Writer
	Bar      io.Writer // takes the status line with its sequences, which Out may filter; nil: Out
	Terminal bool      // colours and the status line
	Width    int       // of the terminal; 0: lines are not wrapped
	Start    time.Time

	mu     sync.Mutex
	status string
}

// Mark is the kind of a line.
type Mark struct {
	Word  string
	Color text.Color
}

// Marks of the lines.
var (
	MarkStory  = Mark{"story", text.Bold} // on light terminals as well
	MarkMatch  = Mark{"match", text.FgCyan}
	MarkWait   = Mark{"wait", text.FgYellow}
	MarkStep   = Mark{"step", text.FgGreen}
	MarkFail   = Mark{"failed", text.FgRed}
	MarkDone   = Mark{"done", text.FgGreen}
	MarkRefuse = Mark{"no job", text.FgMagenta}
	MarkDead   = Mark{"dead", text.FgRed}
)

// Say prints one line.
func (s *Screen) Say(m Mark, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	word := fmt.Sprintf("%-7s", m.Word)
	line := fmt.Sprintf(format, args...)
	if s.Terminal {
		word = m.Color.Sprint(word)
	}
	if s.Width > indent {
		line = strings.ReplaceAll(text.WrapSoft(line, s.Width-indent), "\n", "\n"+strings.Repeat(" ", indent))
	}
	fmt.Fprintf(s.Out, "%6.1fs  %s %s\n", time.Since(s.Start).Seconds(), word, trimLines(line))
	s.draw()
}

// indent is how far the text of a line begins from the left.
const indent = len("   0.0s  refused ")

// trimLines removes the blanks with which wrapping fills up.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// Status sets the last line; it is only shown on a terminal.
func (s *Screen) Status(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.status = fmt.Sprintf(format, args...)
	if s.Width > 0 { // a line that wraps could not be cleared
		s.status = text.Trim(s.status, s.Width-1)
	}
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

func (s *Screen) bar() io.Writer {
	if s.Bar != nil {
		return s.Bar
	}
	return s.Out
}

func (s *Screen) clear() {
	if s.Terminal && s.status != "" {
		fmt.Fprint(s.bar(), "\r\x1b[2K")
	}
}

func (s *Screen) draw() {
	if s.Terminal && s.status != "" {
		fmt.Fprint(s.bar(), text.Faint.Sprint(s.status))
	}
}

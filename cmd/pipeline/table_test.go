package main

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

func TestTablesFitTheTerminal(t *testing.T) {
	t.Setenv("COLUMNS", "")
	reason := "offline: the endpoint checked in 4h ago and sleeps; the job starts at its next check-in or ends at its deadline"
	for _, width := range []int{0, 70, 80, 120, 200} {
		var out strings.Builder
		g := newTable(&out, "job", "state", "~rule", "~sensor", "=why")
		g.width = width
		g.AppendRow(table.Row{"01JDXH6YV3M2Z8Q4T5R6S7A8BC", "parked", "office-starts-script-interpreter-with-encoded-text", "hq/42 WKS-ACCOUNTING-0042.corp.example.com", reason})
		g.AppendRow(table.Row{"01JDXH6YV3M2Z8Q4T5R6S7A8BD", "succeeded", "short", "hq/1 日本語のホスト名日本語のホスト名", ""})
		g.Render()
		for line := range strings.SplitSeq(out.String(), "\n") {
			if width > 0 && text.StringWidth(line) > width {
				t.Errorf("at %d columns a line has %d: %q", width, text.StringWidth(line), line)
			}
		}
		words := strings.Join(strings.Fields(out.String()), " ")
		for _, w := range strings.Fields(reason) {
			if !strings.Contains(words, w) {
				t.Errorf("at %d columns the word %q of the reason is lost:\n%s", width, w, out.String())
			}
		}
		if !strings.Contains(out.String(), "01JDXH6YV3M2Z8Q4T5R6S7A8BC") {
			t.Errorf("at %d columns the id is not whole:\n%s", width, out.String())
		}
	}
}

func TestShortenMiddle(t *testing.T) {
	for _, c := range []struct {
		in    string
		width int
		want  string
	}{
		{"short", 10, "short"},
		{"office-starts-script", 10, "offic…ript"},
		{"one\nlonger-than-that", 8, "one\nlong…hat"},
	} {
		if got := shortenMiddle(c.in, c.width); got != c.want {
			t.Errorf("shortenMiddle(%q, %d) = %q, want %q", c.in, c.width, got, c.want)
		}
	}
}

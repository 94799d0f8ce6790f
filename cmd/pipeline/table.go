package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"edrpipe/internal/printable"
)

// Least widths: names are not shortened further, and a text that would get less is
// written below its row.
const (
	leastName = 8
	leastText = 20
)

// grid is a table that fits its terminal. A column whose name begins with "~" holds
// names, which are shortened in the middle where they do not fit. One that begins
// with "=" holds text, which is wrapped and never shortened. Others stay whole.
type grid struct {
	out     io.Writer
	columns []string
	rows    []table.Row
	width   int // of the terminal; 0: no limit
}

// newTable returns the table that every command prints rows with.
func newTable(w io.Writer, columns ...string) *grid {
	return &grid{out: w, columns: columns, width: terminalWidth(w)}
}

// AppendRow adds a row below the others. Its texts may come from endpoints.
func (g *grid) AppendRow(r table.Row) {
	for i, cell := range r {
		switch text := cell.(type) {
		case painted:
			r[i] = string(text)
		case string:
			r[i] = printable.Text(text)
		case fmt.Stringer:
			r[i] = printable.Text(text.String())
		}
	}
	g.rows = append(g.rows, r)
}

// painted is text of the program's own, with sequences that set colors.
type painted string

// Render writes the table.
func (g *grid) Render() {
	widths, fits := g.fit()
	last := len(g.columns) - 1
	if fits || g.columns[last][0] != '=' {
		fmt.Fprintln(g.out, g.render(g.squeeze(widths, fits)))
		return
	}
	below := grid{out: g.out, columns: g.columns[:last], width: g.width}
	for _, r := range g.rows {
		below.rows = append(below.rows, slices.Clone(r[:min(last, len(r))]))
	}
	widths = below.squeeze(below.fit())
	for i, line := range strings.Split(below.render(widths), "\n") {
		fmt.Fprintln(g.out, strings.TrimRight(line, " "))
		if row := i - 2; row >= 0 && row < len(g.rows) && last < len(g.rows[row]) {
			writeIndented(g.out, fmt.Sprint(g.rows[row][last]), g.width)
		}
	}
}

// Times in a table that does not fit lose their year, then their seconds.
var (
	withYear    = regexp.MustCompile(`^\d{4}-(\d\d-\d\d \d\d:\d\d:\d\d)$`)
	withSeconds = regexp.MustCompile(`^(\d\d-\d\d \d\d:\d\d):\d\d$`)
)

// squeeze shortens times until the table fits, and returns the width of each column.
func (g *grid) squeeze(widths []int, fits bool) []int {
	for _, form := range []*regexp.Regexp{withYear, withSeconds} {
		if fits {
			return widths
		}
		for _, r := range g.rows {
			for i, cell := range r {
				if s, ok := cell.(string); ok {
					r[i] = form.ReplaceAllString(s, "$1")
				}
			}
		}
		widths, fits = g.fit()
	}
	return widths
}

func writeIndented(w io.Writer, s string, width int) {
	if s == "" {
		return
	}
	for line := range strings.SplitSeq(text.WrapSoft(s, max(width-4, leastText)), "\n") {
		fmt.Fprintln(w, "    "+strings.TrimRight(line, " "))
	}
}

func (g *grid) render(widths []int) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	header, configs := make(table.Row, len(g.columns)), make([]table.ColumnConfig, len(g.columns))
	for i, c := range g.columns {
		header[i] = heading(c)
		configs[i] = table.ColumnConfig{Number: i + 1}
		switch c[0] {
		case '~':
			configs[i].WidthMax, configs[i].WidthMaxEnforcer = widths[i], shortenMiddle
		case '=':
			configs[i].WidthMax, configs[i].WidthMaxEnforcer = widths[i], text.WrapSoft
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	t.AppendRows(g.rows)
	return t.Render()
}

// heading is a column's name without its mark.
func heading(column string) string { return strings.TrimLeft(column, "~=") }

// fit returns the width of each column, and whether the table fits. Texts give way
// first, down to a readable width; then names, the widest first; then texts again.
func (g *grid) fit() ([]int, bool) {
	widths := make([]int, len(g.columns))
	total := 2 * len(g.columns) // a space on each side
	for i, c := range g.columns {
		widths[i] = text.StringWidth(heading(c))
		for _, r := range g.rows {
			if i < len(r) {
				widths[i] = max(widths[i], text.LongestLineLen(fmt.Sprint(r[i])))
			}
		}
		total += widths[i]
	}
	if g.width == 0 {
		return widths, true
	}
	total = g.narrow(widths, total, '=', 2*leastText)
	total = g.narrow(widths, total, '~', leastName)
	total = g.narrow(widths, total, '=', leastText)
	return widths, total <= g.width
}

// narrow takes columns of a kind back, the widest first, until the table fits or all
// have their least width. It returns the table's new width.
func (g *grid) narrow(widths []int, total int, mark byte, least int) int {
	for total > g.width {
		widest := -1
		for i, c := range g.columns {
			if c[0] == mark && widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return total
		}
		widths[widest]--
		total--
	}
	return total
}

// shortenMiddle keeps the beginning and the end of each line that is too wide: names
// of one family often differ only there.
func shortenMiddle(s string, width int) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if text.StringWidth(line) <= width {
			continue
		}
		r := []rune(line)
		head, tail := 0, len(r)
		for left := width - 1; ; { // one column is the ellipsis
			if w := text.RuneWidth(r[head]); head <= len(r)-tail && w <= left {
				left, head = left-w, head+1
			} else if w := text.RuneWidth(r[tail-1]); head > len(r)-tail && w <= left {
				left, tail = left-w, tail-1
			} else {
				break
			}
		}
		lines[i] = string(r[:head]) + "…" + string(r[tail:])
	}
	return strings.Join(lines, "\n")
}

// terminalWidth is how many columns the output has: $COLUMNS, or what the terminal
// answers; 0 where it is no terminal.
func terminalWidth(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

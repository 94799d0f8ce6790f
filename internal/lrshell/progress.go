package lrshell

import (
	"fmt"
	"io"
	"strings"
	"time"

	"edrpipe/internal/printable"
)

// bar shows how far a transfer is, on one line of a terminal that it redraws at
// most ten times a second.
type bar struct {
	w     io.Writer // nil: silent
	label string
	total int64 // 0: unknown
	n     int64
	begun time.Time
	drawn time.Time
}

func (s *Shell) bar(label string, total int64) *bar {
	b := &bar{label: printable.Line(label), total: total, begun: time.Now()}
	if s.Progress {
		b.w = s.Err
	}
	return b
}

// Write counts what was written elsewhere.
func (b *bar) Write(p []byte) (int, error) {
	b.set(b.n + int64(len(p)))
	return len(p), nil
}

func (b *bar) set(n int64) {
	b.n = n
	if b.w == nil || time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	rate := float64(b.n) / max(time.Since(b.begun).Seconds(), 0.001)
	if b.total <= 0 {
		fmt.Fprintf(b.w, "\r\x1b[K%s  %s  %s/s", b.label, size(float64(b.n)), size(rate))
		return
	}
	const width = 30
	done := min(float64(b.n)/float64(b.total), 1)
	filled := int(done * width)
	fmt.Fprintf(b.w, "\r\x1b[K%s  [%s%s] %3.0f%%  %s/s", b.label,
		strings.Repeat("=", filled), strings.Repeat(" ", width-filled), 100*done, size(rate))
}

// percent shows the progress of something that has no size.
func (b *bar) percent(p int) {
	if b.w == nil || time.Since(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = time.Now()
	fmt.Fprintf(b.w, "\r\x1b[K%s  %d%%  %s", b.label, p, time.Since(b.begun).Round(time.Second))
}

// end wipes the line.
func (b *bar) end() {
	if b.w != nil && !b.drawn.IsZero() {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}

// reading counts what is read from r. A seekable r stays seekable, for uploads
// that are repeated.
func (b *bar) reading(r io.Reader) io.Reader {
	counted := countingReader{r, b}
	if s, ok := r.(io.Seeker); ok {
		return struct {
			countingReader
			seeker
		}{counted, seeker{s, b}}
	}
	return counted
}

type countingReader struct {
	r io.Reader
	b *bar
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.b.set(c.b.n + int64(n))
	return n, err
}

type seeker struct {
	s io.Seeker
	b *bar
}

func (s seeker) Seek(offset int64, whence int) (int64, error) {
	n, err := s.s.Seek(offset, whence)
	s.b.n = n
	return n, err
}

// size writes a number of bytes for people.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g TiB", n)
}

package lrshell

import (
	"fmt"
	"io"
	"time"

	"edrpipe/internal/progress"
)

// bar shows how far a transfer is.
type bar struct {
	*progress.Bar
	label string
	total int64 // bytes; 0: unknown
	n     int64
	begun time.Time
}

func (s *Shell) bar(label string, total int64) *bar {
	b := &bar{Bar: progress.New(nil), label: label, total: total, begun: time.Now()}
	if s.Progress {
		b.Bar = progress.New(s.Err)
	}
	return b
}

// Write counts the bytes of p.
func (b *bar) Write(p []byte) (int, error) {
	b.set(b.n + int64(len(p)))
	return len(p), nil
}

func (b *bar) set(n int64) {
	b.n = n
	rate := size(float64(n)/max(time.Since(b.begun).Seconds(), 0.001)) + "/s"
	if b.total <= 0 {
		b.Draw(-1, b.label+"  "+size(float64(n))+"  "+rate)
		return
	}
	part := min(float64(n)/float64(b.total), 1)
	b.Draw(part, fmt.Sprintf("%3.0f%%  %s  %s", 100*part, b.label, rate))
}

// percent shows the progress of something that has no size.
func (b *bar) percent(p int) {
	b.Draw(float64(p)/100, fmt.Sprintf("%d%%  %s  %s", p, b.label, time.Since(b.begun).Round(time.Second)))
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

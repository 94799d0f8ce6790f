package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progress draws a bar on a terminal, by how much of the files has been read. On
// anything else it draws nothing.
type progress struct {
	out         io.Writer // nil: nobody watches
	total, done int64     // bytes; total 0: not known
	began, last time.Time
}

func newProgress(out io.Writer, files []string) *progress {
	p := &progress{began: time.Now()}
	if !isTerminal(out) {
		return p
	}
	p.out = unfiltered(out)
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			p.total = 0
			return p
		}
		p.total += info.Size()
	}
	return p
}

// reading counts what is read.
func (p *progress) reading(in io.Reader) io.Reader { return &countingReader{in, p} }

type countingReader struct {
	io.Reader
	p *progress
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.done += int64(n)
	return n, err
}

// show draws the bar, ten times a second at most.
func (p *progress) show(messages int) {
	now := time.Now()
	if p.out == nil || now.Sub(p.last) < 100*time.Millisecond {
		return
	}
	p.last = now
	perSecond := float64(messages) / max(now.Sub(p.began).Seconds(), 0.001)
	bar := ""
	if p.total > 0 {
		const width = 30
		part := min(float64(p.done)/float64(p.total), 1)
		full := int(part * width)
		bar = fmt.Sprintf("%s%s %3.0f %%  ", strings.Repeat("█", full), strings.Repeat("░", width-full), part*100)
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s%d messages  %.0f/s", bar, messages, perSecond)
}

// end removes the bar.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

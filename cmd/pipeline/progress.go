package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"edrpipe/internal/progress"
)

// readProgress shows on a terminal how much of some files has been read.
type readProgress struct {
	*progress.Bar
	total, done int64 // bytes; total 0: not known
	began       time.Time
}

func newReadProgress(out io.Writer, files []string) *readProgress {
	p := &readProgress{Bar: newBar(out), began: time.Now()}
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
func (p *readProgress) reading(in io.Reader) io.Reader { return &countingReader{in, p} }

type countingReader struct {
	io.Reader
	p *readProgress
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.p.done += int64(n)
	return n, err
}

// show draws the bar with the number of messages that were in it.
func (p *readProgress) show(messages int) {
	part := -1.0
	if p.total > 0 {
		part = float64(p.done) / float64(p.total)
	}
	p.Draw(part, fmt.Sprintf("%d messages  %.0f/s", messages, float64(messages)/max(time.Since(p.began).Seconds(), 0.001)))
}

package main

import (
	"io"

	"edrpipe/internal/printable"
	"edrpipe/internal/progress"
)

// newOutput keeps what endpoints wrote from commanding the terminal, whichever
// command prints it.
func newOutput(w io.Writer) *printable.Writer {
	return &printable.Writer{Out: w, Colors: isTerminal(w)}
}

// unfiltered is the output under a command's, for what the program itself draws on
// a terminal.
func unfiltered(w io.Writer) io.Writer {
	if p, ok := w.(*printable.Writer); ok {
		return p.Out
	}
	return w
}

// newBar draws progress where w is a terminal, and nowhere else.
func newBar(w io.Writer) *progress.Bar {
	if !isTerminal(w) {
		return progress.New(nil)
	}
	return progress.New(unfiltered(w))
}

// forData is the output for bytes that must arrive as they are: files and pipes get
// them so, a terminal does not.
func forData(w io.Writer) io.Writer {
	if isTerminal(w) {
		return w
	}
	return unfiltered(w)
}

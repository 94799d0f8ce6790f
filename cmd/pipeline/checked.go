package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// checkedOutput is standard output that remembers the first error of writing, so
// that a full device fails a command that ignored it. A pipe whose reader has seen
// enough is no error: it ends the process by SIGPIPE, or a command that catches that
// decides itself.
type checkedOutput struct {
	file *os.File
	err  error
}

// Write implements io.Writer.
func (o *checkedOutput) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil && o.err == nil && !errors.Is(err, syscall.EPIPE) {
		o.err = fmt.Errorf("write the output: %w", err)
	}
	return n, err
}

// Fd lets a command find out about the terminal.
func (o *checkedOutput) Fd() uintptr { return o.file.Fd() }

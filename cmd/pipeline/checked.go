package main

import (
	"fmt"
	"os"
)

// checkedOutput is standard output that remembers the first error of writing, so
// that a full device or a closed pipe fails a command that ignored it.
type checkedOutput struct {
	file *os.File
	err  error
}

// Write implements io.Writer.
func (o *checkedOutput) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("write the output: %w", err)
	}
	return n, err
}

// Fd lets a command find out about the terminal.
func (o *checkedOutput) Fd() uintptr { return o.file.Fd() }

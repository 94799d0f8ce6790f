package main

import (
	"io"
	"os"
)

// openInput opens a file that was named on the command line; - is standard input,
// which Close leaves open.
func openInput(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

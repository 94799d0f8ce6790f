package liveresponse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"

	"edrpipe/pkg/edr"
)

// maxOutput bounds what Output keeps in memory, in bytes.
const maxOutput = 16 << 20

// An Outputter is what Output needs of a session.
type Outputter interface {
	Run(ctx context.Context, p edr.ProcessSpec) (edr.ProcessResult, error)
	GetFile(ctx context.Context, path string, r edr.Range, w io.Writer) (edr.FileInfo, error)
	DeleteFile(ctx context.Context, path string) error
}

// Output runs a process to its end and returns what it wrote to stdout and
// stderr, at most 16 MiB: through a temporary file on the sensor, which is
// deleted afterwards.
func Output(ctx context.Context, on Outputter, os edr.OS, p edr.ProcessSpec) ([]byte, edr.ProcessResult, error) {
	p.Wait = true
	if p.OutputFile == "" {
		p.OutputFile = TempName(os)
	}
	r, err := on.Run(ctx, p)
	if err != nil {
		return nil, r, err
	}
	var out bytes.Buffer
	_, err = on.GetFile(ctx, p.OutputFile, edr.Range{}, &limited{w: &out, left: maxOutput})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, r, nil // a silent process may leave no file
	}
	if del := on.DeleteFile(ctx, p.OutputFile); del != nil && err == nil {
		err = fmt.Errorf("temporary output file stays on the sensor: %w", del)
	}
	return out.Bytes(), r, err
}

// TempName is a unique path in the sensor's temporary directory.
func TempName(os edr.OS) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	name := make([]byte, 12)
	for i := range name {
		name[i] = letters[rand.IntN(len(letters))]
	}
	if os == edr.Windows {
		return `c:\windows\temp\cblr.` + string(name) + ".tmp"
	}
	return "/tmp/cblr." + string(name) + ".tmp"
}

// limited refuses to write more than left bytes.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.left {
		return 0, fmt.Errorf("output is larger than %d bytes", maxOutput)
	}
	l.left -= len(b)
	return l.w.Write(b)
}

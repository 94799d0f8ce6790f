package outputs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File appends each message as a line of JSON. The file may be rotated by renaming it:
// it is opened again for each batch.
type File struct{ Path string }

// Send implements Sink: it returns when the disk has the lines. A line that an earlier
// attempt left unfinished is ended first.
func (f File) Send(_ context.Context, batch []Message) (err error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data := lines(batch)
	if open, err := unfinished(file); err != nil {
		return err
	} else if open {
		data = append([]byte{'\n'}, data...)
	}
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("append to %s: %w", f.Path, err)
	}
	return file.Sync()
}

// unfinished reports whether the file ends within a line.
func unfinished(file *os.File) (bool, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}

// Close implements Sink.
func (File) Close() error { return nil }

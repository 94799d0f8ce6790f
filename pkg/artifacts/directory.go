package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Directory is a Backend in a directory.
type Directory string

const partEnding = ".part"

// Put implements Backend. A blob appears under its name when it is whole.
func (d Directory) Put(_ context.Context, name string, r io.Reader) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	part := filepath.Join(string(d), name+partEnding)
	err := writeFile(part, r)
	if err == nil {
		err = os.Rename(part, filepath.Join(string(d), name))
	}
	if err == nil {
		err = syncDir(string(d))
	}
	if err != nil {
		return errors.Join(err, removeFile(part))
	}
	return nil
}

// writeFile writes, flushes and reads back.
func writeFile(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // the error that matters is Sync's
	sent := newStream(r)
	if _, err := copyAll(f, sent); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return sent.compare(f)
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open implements Backend.
func (d Directory) Open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(d), name))
}

// Delete implements Backend.
func (d Directory) Delete(_ context.Context, name string) error {
	return removeFile(filepath.Join(string(d), name))
}

func removeFile(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List implements Backend.
func (d Directory) List(_ context.Context, visit func(Blob) error) error {
	entries, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || e.IsDir() || strings.HasSuffix(e.Name(), partEnding) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
		if err := visit(Blob{Name: e.Name(), Size: info.Size(), Time: info.ModTime()}); err != nil {
			return err
		}
	}
	return nil
}

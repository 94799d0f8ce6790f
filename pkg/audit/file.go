package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/gofrs/flock"
)

// File is a Store in a file of lines, for one process at a time. A block is one
// line.
type File struct {
	mu    sync.Mutex
	file  *os.File
	lock  *flock.Flock
	last  []byte
	lines uint64
	size  int64 // of the lines
}

// OpenFile opens a log for appending, or makes it. An entry that a crash left
// half written, which nobody was told is there, is cut off.
func OpenFile(name string) (*File, error) {
	lock := flock.New(name + ".lock")
	if ok, err := lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(fmt.Errorf("audit log %s is in use by another process", name), err)
	}
	f, err := openLocked(name, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
}

func openLocked(name string, lock *flock.Flock) (*File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	f := &File{file: file, lock: lock}
	r := bufio.NewReader(file)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("audit log: %w", err), file.Close())
		}
		f.last, f.lines, f.size = line, f.lines+1, f.size+int64(len(line))
	}
	if err := f.rewind(); err != nil {
		return nil, errors.Join(fmt.Errorf("audit log: %w", err), file.Close())
	}
	return f, nil
}

// rewind cuts off what is behind the last whole line.
func (f *File) rewind() error {
	_, err := f.file.Seek(f.size, io.SeekStart)
	return errors.Join(f.file.Truncate(f.size), err)
}

// Close closes the file for others to open.
func (f *File) Close() error { return errors.Join(f.file.Close(), f.lock.Unlock()) }

// Last implements Store.
func (f *File) Last(context.Context) ([]byte, uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.last), f.lines, nil
}

// Append implements Store.
func (f *File) Append(_ context.Context, block []byte, after uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after != f.lines {
		return ErrConflict
	}
	_, err := f.file.Write(block)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("audit log: %w", err), f.rewind())
	}
	lines := bytes.SplitAfter(block, []byte("\n"))
	f.last = bytes.Clone(lines[len(lines)-2])
	f.lines += uint64(len(lines) - 1)
	f.size += int64(len(block))
	return nil
}

// Read implements Store.
func (f *File) Read(ctx context.Context, visit func(uint64, []byte) error) error {
	return Lines(f.file.Name()).Read(ctx, visit)
}

// Lines is a log in a file that is only read: one exported, or of a service that
// is running.
type Lines string

// Read implements Reader.
func (name Lines) Read(ctx context.Context, visit func(uint64, []byte) error) error {
	file, err := os.Open(string(name))
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer file.Close()
	r := bufio.NewReader(file)
	for position := uint64(1); ctx.Err() == nil; position++ {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			if err := visit(position, line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	return ctx.Err()
}

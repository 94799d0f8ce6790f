package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// String is the head as people note it: its number and its hash.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads what String wrote.
func ParseHead(text string) (Head, error) {
	number, hash, ok := strings.Cut(strings.TrimSpace(text), ":")
	seq, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || seq == 0 || hash == "" {
		return Head{}, fmt.Errorf("%q is not the number and hash of an entry: want 123:ab45…", text)
	}
	return Head{Seq: seq, Hash: hash}, nil
}

// Heads is a file of heads, one a line, that lies elsewhere than the log. A log
// whose end was cut off, or that was exchanged for another one, does not have
// them: its own hashes cannot show that. It belongs to one process at a time.
type Heads struct {
	name string

	mu    sync.Mutex
	file  *os.File
	lines int
	last  Head
	dirty bool // not flushed to the disk
}

// maxHeads bounds the file: of more, every second one is kept, and the last.
const maxHeads = 4000

// OpenHeads opens the file, or makes it. A line that a crash left half written is
// cut off.
func OpenHeads(name string) (*Heads, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("noted heads of the audit log: %w", err)
	}
	f := &Heads{name: name, file: file}
	if err := f.take(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// take finds out what is in the file.
func (f *Heads) take() error {
	heads, size, err := f.read()
	if err != nil {
		return err
	}
	if f.lines = len(heads); f.lines > 0 {
		f.last = heads[f.lines-1]
	}
	return f.file.Truncate(size)
}

// Read gives the heads.
func (f *Heads) Read() ([]Head, error) {
	heads, _, err := f.read()
	return heads, err
}

// read gives the heads in whole lines, and how many bytes these are.
func (f *Heads) read() (heads []Head, size int64, err error) {
	data, err := os.ReadFile(f.name)
	if err != nil {
		return nil, 0, fmt.Errorf("noted heads of the audit log: %w", err)
	}
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		h, err := ParseHead(string(line))
		if err != nil {
			return nil, 0, fmt.Errorf("%s:%d: %w", f.name, len(heads)+1, err)
		}
		heads, size = append(heads, h), size+int64(len(line))
	}
	return heads, size, nil
}

// Note adds a head, unless it is the last one there. It outlives this process, and
// with Flush a power cut.
func (f *Heads) Note(h Head) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h == f.last {
		return nil
	}
	if f.lines >= maxHeads {
		if err := f.thin(); err != nil {
			return fmt.Errorf("noted heads of the audit log: %w", err)
		}
	}
	if _, err := f.file.WriteString(h.String() + "\n"); err != nil {
		return errors.Join(fmt.Errorf("noted heads of the audit log: %w", err), f.take()) // half a line may be there
	}
	f.last, f.dirty = h, true
	f.lines++
	return nil
}

// thin writes the file anew with every second head. f.mu is held.
func (f *Heads) thin() error {
	heads, _, err := f.read()
	if err != nil {
		return err
	}
	var text strings.Builder
	kept := 0
	for i, h := range heads {
		if i%2 == 0 || i == len(heads)-1 {
			text.WriteString(h.String() + "\n")
			kept++
		}
	}
	half := f.name + ".new"
	next, err := os.OpenFile(half, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = next.WriteString(text.String())
	if err = errors.Join(err, next.Sync()); err == nil {
		err = os.Rename(half, f.name)
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	old := f.file
	f.file, f.lines = next, kept
	return old.Close()
}

// Flush has what was noted outlive a power cut.
func (f *Heads) Flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dirty {
		return nil
	}
	if err := f.file.Sync(); err != nil {
		return fmt.Errorf("noted heads of the audit log: %w", err)
	}
	f.dirty = false
	return nil
}

// Close flushes and closes the file.
func (f *Heads) Close() error { return errors.Join(f.Flush(), f.file.Close()) }

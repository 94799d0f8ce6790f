package lines

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// remembered is a place as it is kept in a file.
type remembered struct {
	File        string `json:"file"` // as it was called then: for people
	PrefixBytes int    `json:"prefix_bytes"`
	PrefixSum   string `json:"prefix_sha256"`
	Offset      int64  `json:"offset"` // of unpacked bytes
}

// memory keeps the place up to which everything is settled.
type memory struct {
	file string // empty: nothing is kept
	of   string // the file whose place it is

	mu    sync.Mutex // guards key and place
	key   uint64
	place place

	saved uint64    // key of what is in the file
	when  time.Time // it was written
}

// move notes that everything up to a place is settled. Handlers settle in any
// order, so a call may be late.
func (m *memory) move(key uint64, at place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if key > m.key {
		m.key, m.place = key, at
	}
}

// saveSometimes saves about once a second.
func (m *memory) saveSometimes() error {
	if m.file == "" || time.Since(m.when) < time.Second {
		return nil
	}
	return m.save()
}

// save writes the place, whole or not at all.
func (m *memory) save() error {
	m.mu.Lock()
	key, at := m.key, m.place
	m.mu.Unlock()
	m.when = time.Now()
	if m.file == "" || key == m.saved {
		return nil
	}
	sum := sha256.Sum256(at.prefix.bytes[:at.known])
	raw, err := json.Marshal(remembered{File: m.of, PrefixBytes: at.known, PrefixSum: hex.EncodeToString(sum[:]), Offset: at.offset})
	if err != nil {
		return err
	}
	if err := replaceFile(m.file, append(raw, '\n')); err != nil {
		return fmt.Errorf("remember the place: %w", err)
	}
	m.saved = key
	return nil
}

// replaceFile writes a file so that a crash leaves the old or the new content.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// load reads a remembered place; none yet is the zero value.
func load(path string) (r remembered, err error) {
	if path == "" {
		return r, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return r, fmt.Errorf("the remembered place in %s cannot be read (delete it to begin at the beginning): %w", path, err)
	}
	return r, nil
}

// segment is a file to read, from an offset on.
type segment struct {
	path   string
	offset int64
}

// segments lists what is to be read: the file from the remembered place on, or,
// when it was rotated meanwhile, the rotated one from that place, those that came
// after it, and the file from its beginning.
func (f *File) segments() ([]segment, error) {
	current := segment{path: f.Path}
	was, err := load(f.Place)
	if err != nil || was.Offset == 0 {
		return []segment{current}, err
	}
	if was.isBeginningOf(f.Path) {
		current.offset = was.Offset
		return []segment{current}, nil
	}
	rotated, err := f.rotated()
	if err != nil {
		return nil, err
	}
	for i := len(rotated) - 1; i >= 0; i-- {
		if was.isBeginningOf(rotated[i]) {
			out := []segment{{rotated[i], was.Offset}}
			for _, later := range rotated[i+1:] {
				out = append(out, segment{path: later})
			}
			return append(out, current), nil
		}
	}
	f.Log.Warn().Str("file", f.Path).Msg("the file that was read last is gone; reading from the beginning")
	return []segment{current}, nil
}

// rotated lists the files that a rotation made of this one, the oldest first.
func (f *File) rotated() ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return nil, err
	}
	type old struct {
		path string
		at   time.Time
	}
	var all []old
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(f.Path))
		path := filepath.Join(filepath.Dir(f.Path), e.Name())
		if !ok || rest == "" || !strings.ContainsAny(rest[:1], ".-_") || !e.Type().IsRegular() || filepath.Clean(f.Place) == path {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, old{path, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b old) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.path, b.path)) })
	out := make([]string, len(all))
	for i, o := range all {
		out[i] = o.path
	}
	return out, nil
}

// isBeginningOf reports whether a file is the one that was read. One that cannot be
// read is not.
func (r remembered) isBeginningOf(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	in, _, err := unpack(file)
	if err != nil {
		return false
	}
	begin := make([]byte, min(max(r.PrefixBytes, 0), prefixSize))
	if _, err := io.ReadFull(in, begin); err != nil {
		return false
	}
	sum := sha256.Sum256(begin)
	return hex.EncodeToString(sum[:]) == r.PrefixSum
}

package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"edrpipe/pkg/seal"
)

// Mark is the high-water mark of the record of switches: the newest one that this replica
// has seen. It lies outside of the bus, whose records can be removed or replaced by older
// ones that verify as well. The zero Mark is kept in memory only. It is safe for
// concurrent use; its file belongs to one process at a time.
type Mark struct {
	file string // empty: in memory only

	mu       sync.Mutex
	seen     bool   // guarded by mu; there was a record
	serial   int64  // guarded by mu; of the newest record
	revision uint64 // guarded by mu; the highest that this process read
}

// OpenMark reads the mark in a file, which need not exist yet.
func OpenMark(file string) (*Mark, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &Mark{file: file}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("mark of the newest switches: %w", err)
	}
	serial, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || serial < 0 {
		return nil, fmt.Errorf("mark of the newest switches: %s has no number: look at stops and silences with pipeline guards, then delete the file", file)
	}
	return &Mark{file: file, seen: true, serial: serial}, nil
}

// errOlder is a read that is behind one before: a follower of the bus may give such.
var errOlder = errors.New("it is older than one that was read before")

// judge reports what is wrong with the record that was read; revision 0: there is none.
// An error that is seal.ErrForeign is lasting.
func (m *Mark) judge(c control, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case revision == 0 && m.seen:
		return fmt.Errorf("%w: the record is missing, and its stops, dry runs and silences are lost; pipeline resume writes a new one", seal.ErrForeign)
	case revision == 0 || c.Serial >= m.serial:
		return nil
	case revision <= m.revision:
		return errOlder
	}
	return fmt.Errorf("%w: an older record was put back (serial %d, the newest known is %d), with the stops, dry runs and silences of that time; pipeline resume writes a new one", seal.ErrForeign, c.Serial, m.serial)
}

// raise notes a record that was read or written. The error is that of the file, which is
// written again with the next record.
func (m *Mark) raise(serial int64, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision = max(m.revision, revision)
	if m.seen && serial <= m.serial {
		return nil
	}
	m.seen, m.serial = true, max(m.serial, serial)
	if m.file == "" {
		return nil
	}
	if err := replaceFile(m.file, strconv.FormatInt(m.serial, 10)+"\n"); err != nil {
		return fmt.Errorf("mark of the newest switches: %w", err)
	}
	return nil
}

// note raises the mark; that its file cannot be written is logged.
func (m *Mark) note(log zerolog.Logger, serial int64, revision uint64) {
	if err := m.raise(serial, revision); err != nil {
		log.Error().Err(err).Msg("a restart would not notice that an older record of stops is put back")
	}
}

// next is the serial of a record that follows one; now is in microseconds, so that a
// replica without a mark does not begin below the marks of others.
func (m *Mark) next(after, now int64) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(after+1, m.serial+1, now)
}

// replaceFile writes a small file such that a crash leaves the old or the new text.
func replaceFile(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

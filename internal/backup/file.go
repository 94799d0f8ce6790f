package backup

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// version of the file's form.
const version = 1

// Header is the first line of a file.
type Header struct {
	Form    string            `json:"edrpipe"` // "state"
	Version int               `json:"version"`
	Created time.Time         `json:"created"`
	Streams map[string]uint64 `json:"streams"` // what each held when the export began
}

// record is a message of a stream.
type record struct {
	Stream  string              `json:"stream"`
	Subject string              `json:"subject"`
	At      time.Time           `json:"at"`
	Headers map[string][]string `json:"headers,omitempty"`
	Data    []byte              `json:"data,omitempty"`
}

// end is the last line.
type end struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"`
}

// ErrDamaged: a file is not whole, or was changed.
var ErrDamaged = errors.New("the file is damaged")

// writer writes a file.
type writer struct {
	zip     *gzip.Writer
	sum     hash.Hash
	records int
}

func newWriter(w io.Writer, h Header) (*writer, error) {
	b := &writer{zip: gzip.NewWriter(w), sum: sha256.New()}
	return b, b.line(h)
}

func (b *writer) line(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	data = append(data, '\n')
	b.sum.Write(data)
	_, err = b.zip.Write(data)
	return err
}

func (b *writer) record(r record) error {
	b.records++
	return b.line(r)
}

// close writes the end; a file without it is not whole.
func (b *writer) close() error {
	err := b.line(end{b.records, hex.EncodeToString(b.sum.Sum(nil))})
	return errors.Join(err, b.zip.Close())
}

// read reads a whole file, calls see for each record, and compares number and
// checksum. What see did before an error has to be forgotten.
func read(r io.Reader, see func(record) error) (Header, int, error) {
	var h Header
	zip, err := gzip.NewReader(r)
	if errors.Is(err, gzip.ErrHeader) {
		return h, 0, fmt.Errorf("%w, or is none that `pipeline state export` wrote", ErrDamaged)
	}
	if err != nil {
		return h, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	lines, sum := bufio.NewReaderSize(zip, 1<<20), sha256.New()
	records := 0
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return h, records, fmt.Errorf("%w: it ends in line %d: %w", ErrDamaged, n, err)
		}
		if n == 1 {
			if err := header(line, &h); err != nil {
				return h, 0, err
			}
		} else if bytes.HasPrefix(line, []byte(`{"records":`)) {
			return h, records, ending(line, records, sum)
		} else {
			var rec record
			if err := json.Unmarshal(line, &rec); err != nil {
				return h, records, fmt.Errorf("%w: line %d: %w", ErrDamaged, n, err)
			}
			if err := see(rec); err != nil {
				return h, records, err
			}
			records++
		}
		sum.Write(line)
	}
}

func header(line []byte, h *Header) error {
	if err := json.Unmarshal(line, h); err != nil || h.Form != "state" {
		return fmt.Errorf("this is no exported state: %w", errors.Join(ErrDamaged, err))
	}
	if h.Version > version {
		return fmt.Errorf("the file has version %d, this program reads up to %d: use the version that wrote it, or a later one", h.Version, version)
	}
	return nil
}

func ending(line []byte, records int, sum hash.Hash) error {
	var e end
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("%w: its end: %w", ErrDamaged, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); e.Records != records || e.SHA256 != got {
		return fmt.Errorf("%w: it says %d records and checksum %.12s, and has %d and %.12s", ErrDamaged, e.Records, e.SHA256, records, got)
	}
	return nil
}

package edrsim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// A blob is the content of a file. It never changes once made, so endpoints,
// sessions and answers under way share it.
type blob struct {
	r    io.ReaderAt
	size int64
}

func bytesBlob(b []byte) blob { return blob{bytes.NewReader(b), int64(len(b))} }

// reader reads all of it, from the start, independently of other readers.
func (b blob) reader() *io.SectionReader {
	if b.r == nil {
		return io.NewSectionReader(bytes.NewReader(nil), 0, 0)
	}
	return io.NewSectionReader(b.r, 0, b.size)
}

// section is a part of b; it ends where b does. count 0 means to the end.
func (b blob) section(offset, count int64) blob {
	offset = min(max(offset, 0), b.size)
	rest := b.size - offset
	if count <= 0 || count > rest {
		count = rest
	}
	return blob{io.NewSectionReader(b.reader(), offset, count), count}
}

// text is the content of small files, at most limit bytes.
func (b blob) text(limit int64) string {
	s, _ := io.ReadAll(io.LimitReader(b.reader(), limit)) // an in-memory or spooled read of a prefix
	return string(s)
}

// A noise is endless reproducible bytes: the content of large fake files, which
// then need no storage.
type noise uint64

func (n noise) ReadAt(p []byte, off int64) (int, error) {
	i := 0
	if off%8 == 0 { // whole words, as nearly always
		for ; i+8 <= len(p); i += 8 {
			binary.LittleEndian.PutUint64(p[i:], mix(uint64(n), uint64(off+int64(i))/8))
		}
	}
	var word [8]byte
	for i < len(p) {
		at := off + int64(i)
		binary.LittleEndian.PutUint64(word[:], mix(uint64(n), uint64(at/8)))
		i += copy(p[i:], word[at%8:])
	}
	return len(p), nil
}

// noiseBlob is size bytes that differ with the seed.
func noiseBlob(seed uint64, size int64) blob { return blob{noise(seed), size} }

// A spool takes streams of any length: small ones are kept in memory, larger ones
// in a temporary file.
type spool struct {
	dir   string
	above int64
}

// save reads r to its end.
func (s *spool) save(r io.Reader) (blob, error) {
	var head bytes.Buffer
	_, err := io.CopyN(&head, r, s.above+1)
	if err == io.EOF {
		return bytesBlob(head.Bytes()), nil
	}
	if err != nil {
		return blob{}, err
	}
	f, err := os.CreateTemp(s.dir, "edrsim-*")
	if err != nil {
		return blob{}, fmt.Errorf("spool an upload: %w", err)
	}
	// The name is not needed any more: the space is freed when the last blob that
	// refers to the file is collected, even after a crash.
	os.Remove(f.Name())
	n, err := io.Copy(f, io.MultiReader(&head, r))
	if err != nil {
		f.Close()
		return blob{}, err
	}
	return blob{f, n}, nil
}

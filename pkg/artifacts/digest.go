package artifacts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"edrpipe/pkg/actions"
)

// stream is bytes on their way, counted, limited and hashed. To hash costs more
// than all else about a file: one whose origin does it is not hashed again.
type stream struct {
	io.Reader
	hash  hash.Hash // nil: the Reader is actions.Hashed
	size  int64
	limit int64 // 0: none
	over  error
}

func newStream(r io.Reader) *stream {
	if _, ok := r.(actions.Hashed); ok {
		return &stream{Reader: r}
	}
	return &stream{Reader: r, hash: sha256.New()}
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.hash != nil {
		s.hash.Write(p[:n])
	}
	s.size += int64(n)
	if s.limit > 0 && s.size > s.limit {
		return n, fmt.Errorf("%w: more than %d bytes", s.over, s.limit)
	}
	return n, err
}

// SHA256 implements actions.Hashed.
func (s *stream) SHA256() string {
	if origin, ok := s.Reader.(actions.Hashed); ok && s.hash == nil {
		return origin.SHA256()
	}
	return hex.EncodeToString(s.hash.Sum(nil))
}

// compare reads what a backend kept of s.
func (s *stream) compare(kept io.Reader) error {
	back := newStream(kept)
	if _, err := copyAll(io.Discard, back); err != nil {
		return fmt.Errorf("read back what was stored: %w", err)
	}
	if back.size != s.size || back.SHA256() != s.SHA256() {
		return fmt.Errorf("%w: %d bytes with SHA-256 %s came back, of %d with %s", ErrDamaged, back.size, back.SHA256(), s.size, s.SHA256())
	}
	return nil
}

// pieceSize is what is copied at once, bytes: few enough to stay in a processor's
// cache, and so many that handing them over costs little.
const pieceSize = 256 << 10

// copyAll is io.Copy in pieces of that size, without io.WriterTo and io.ReaderFrom.
func copyAll(w io.Writer, r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, pieceSize))
}

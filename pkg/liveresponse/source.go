package liveresponse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
)

// Extent returns the position of r and the number of bytes left; -1 if unknown, in
// which case r cannot be read again either.
func Extent(r io.Reader) (start, size int64) {
	seeker, ok := r.(io.Seeker)
	if !ok {
		return 0, -1
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, -1 // a pipe that looks like a file
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, -1
	}
	if _, err := seeker.Seek(start, io.SeekStart); err != nil {
		return 0, -1
	}
	return start, end - start
}

// BaseName is the last part of a path of any platform.
func BaseName(path string) string {
	if i := strings.LastIndexAny(path, `\/`); i >= 0 {
		path = path[i+1:]
	}
	if path == "" {
		return "file"
	}
	return path
}

// A Source is the body of an upload, with its digest. The transport may still be
// reading when the answer arrives; Detach takes the reader away from it.
type Source struct {
	r    io.Reader
	turn chan struct{} // held while reading
	sum  hash.Hash
	n    int64
	err  error
	gone bool
}

// NewSource returns a Source that reads r.
func NewSource(r io.Reader) *Source {
	return &Source{r: r, turn: make(chan struct{}, 1), sum: sha256.New()}
}

// Read passes on what is uploaded.
func (s *Source) Read(b []byte) (int, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.gone {
		return 0, errors.New("upload has ended")
	}
	n, err := s.r.Read(b)
	s.sum.Write(b[:n])
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Detach waits for a read under way and reports whether the source is now ours
// alone. It does not wait for a reader that blocks longer than the context lasts.
func (s *Source) Detach(ctx context.Context) bool {
	select {
	case s.turn <- struct{}{}:
		s.gone = true
		<-s.turn
		return true
	case <-ctx.Done():
		return false
	}
}

// Err is what the reader failed with, after Detach.
func (s *Source) Err() error { return s.err }

// Size is the number of bytes read, after Detach.
func (s *Source) Size() int64 { return s.n }

// SHA256 is the digest of the bytes read, in hex, after Detach.
func (s *Source) SHA256() string { return hex.EncodeToString(s.sum.Sum(nil)) }

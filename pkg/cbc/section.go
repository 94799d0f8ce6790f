package cbc

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"edrpipe/pkg/edr"
)

// section passes a part of what is written to it on: left bytes after the first skip
// ones, or all after them.
type section struct {
	w    io.Writer
	skip int64
	left int64
	all  bool

	sum hash.Hash
	n   int64
}

// Write takes all of b and passes its share on.
func (s *section) Write(b []byte) (int, error) {
	part := b
	drop := min(s.skip, int64(len(part)))
	s.skip -= drop
	part = part[drop:]
	if !s.all {
		part = part[:min(s.left, int64(len(part)))]
		s.left -= int64(len(part))
	}
	if len(part) == 0 {
		return len(b), nil
	}
	if s.sum == nil {
		s.sum = sha256.New()
	}
	n, err := s.w.Write(part)
	s.sum.Write(part[:n])
	s.n += int64(n)
	if err != nil {
		return int(drop) + n, err
	}
	return len(b), nil
}

// info describes what was passed on.
func (s *section) info(path string) edr.FileInfo {
	sum := s.sum
	if sum == nil {
		sum = sha256.New()
	}
	return edr.FileInfo{Path: path, Size: s.n, SHA256: hex.EncodeToString(sum.Sum(nil))}
}

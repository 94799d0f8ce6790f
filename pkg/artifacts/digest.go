package artifacts

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// sentDigest is what went into a backend.
type sentDigest struct {
	hash.Hash
	size int64
}

func newDigest() *sentDigest { return &sentDigest{Hash: sha256.New()} }

func (d *sentDigest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.Hash.Write(p)
}

// compare reads what the backend kept.
func (d *sentDigest) compare(kept io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(h, kept)
	if err != nil {
		return fmt.Errorf("read back what was stored: %w", err)
	}
	if n != d.size || !bytes.Equal(h.Sum(nil), d.Sum(nil)) {
		return fmt.Errorf("%w: %d bytes came back of %d", ErrDamaged, n, d.size)
	}
	return nil
}

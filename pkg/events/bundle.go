package events

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bundle decodes a sequence of length-prefixed sensor events. A broken event is
// skipped by its length.
func (p *pass) bundle(b []byte, at int) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return p.reject(TruncatedBundle, fmt.Errorf("%d bytes where a length of 4 was due", len(b)), at, textOf(b))
		}
		n := uint64(binary.LittleEndian.Uint32(b))
		if n > uint64(len(b)-4) {
			return p.reject(TruncatedBundle, fmt.Errorf("an event of %d bytes, of which %d are there", n, len(b)-4), at, textOf(b))
		}
		if !p.sensorEvent(b[4:4+n], at+4) {
			return false
		}
		b, at = b[4+n:], at+4+int(n)
	}
	return true
}

// archive decodes the bundles in a zip. Their unpacked size is limited in all, by the
// declared sizes and by the bytes really unpacked.
func (p *pass) archive(body []byte) bool {
	limit := p.maxUnzipped()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are not used
		return p.reject(BadZip, err, 0, textOf(body))
	}
	var declared uint64
	for _, f := range z.File {
		if f.UncompressedSize64 > uint64(limit) {
			declared = f.UncompressedSize64
			break
		}
		declared += f.UncompressedSize64
	}
	if declared > uint64(limit) || len(z.File) > maxZipEntries {
		return p.reject(ZipBomb, fmt.Errorf("%d entries that unpack to %d bytes, more than %d", len(z.File), declared, limit), 0, textOf(body))
	}
	for _, f := range z.File {
		unpacked, err := unpack(f, limit)
		limit -= len(unpacked)
		var rest bool
		switch {
		case errors.Is(err, errUnpacksTooFar):
			return p.reject(ZipBomb, fmt.Errorf("entry %q unpacks to more than it says and than %d bytes", clip(f.Name, 80), limit), 0, textOf(body))
		case len(unpacked) > 0: // of a damaged entry, what came before the damage
			if rest = p.bundle(unpacked, 0); rest && err != nil {
				rest = p.reject(BadZip, fmt.Errorf("entry %q: %w", clip(f.Name, 80), err), 0, textOf(body))
			}
		case err != nil:
			rest = p.reject(BadZip, fmt.Errorf("entry %q: %w", clip(f.Name, 80), err), 0, textOf(body))
		default:
			rest = true
		}
		if !rest {
			return false
		}
	}
	return true
}

var errUnpacksTooFar = errors.New("beyond the limit")

// unpack reads one entry, at most limit bytes of it.
func unpack(f *zip.File, limit int) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, io.LimitReader(r, int64(limit)+1))
	if b.Len() > limit {
		return nil, errUnpacksTooFar
	}
	return b.Bytes(), err
}

package liveresponse

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"

	"edrpipe/pkg/edr"
)

// ErrChanged is a file that changed between two parts of it.
var ErrChanged = errors.New("file has changed while it was read")

// A Download is a file on its way. It survives the loss of a connection, and of
// a session: what has gone into its writer is always a prefix of the file.
type Download struct {
	Path string
	Want edr.Range

	w   io.Writer
	sum hash.Hash
	n   int64 // bytes written to w
	err error // of w; final: the transfer cannot be resumed
}

// NewDownload returns a Download of path, or of a part of it, into w.
func NewDownload(path string, r edr.Range, w io.Writer) *Download {
	return &Download{Path: path, Want: r, w: w, sum: sha256.New()}
}

// Info describes what has come so far.
func (d *Download) Info() edr.FileInfo {
	return edr.FileInfo{Path: d.Path, Size: d.n, SHA256: hex.EncodeToString(d.sum.Sum(nil))}
}

// Size is the number of bytes that have come so far.
func (d *Download) Size() int64 { return d.n }

// Err is what the writer failed with. Such a download cannot be resumed.
func (d *Download) Err() error { return d.err }

// Write passes on what arrives.
func (d *Download) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	d.sum.Write(b[:n])
	d.n += int64(n)
	if err != nil {
		d.err = err
	}
	return n, err
}

// Rest is the part that is still to come.
func (d *Download) Rest() edr.Range {
	r := edr.Range{Offset: d.Want.Offset + d.n}
	if d.Want.Count > 0 {
		r.Count = d.Want.Count - d.n
	}
	return r
}

// A Mark is a point of a download at which a body begins.
type Mark struct {
	size int64
	sum  hash.Hash
}

// Mark notes the present point.
func (d *Download) Mark() Mark { return Mark{d.n, snapshot(d.sum)} }

// Since is the number of bytes that have come since m.
func (d *Download) Since(m Mark) int64 { return d.n - m.size }

// Resume positions the body of an answer, which began at m when it was first read,
// after the bytes already received. A server without ranges sends those again; they
// must be the same.
func (d *Download) Resume(resp *http.Response, body io.Reader, m Mark) error {
	have := d.Since(m)
	if have == 0 {
		return nil
	}
	if resp.StatusCode == http.StatusPartialContent {
		if want := fmt.Sprintf("bytes %d-", have); !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
			return fmt.Errorf("asked for %s, got %.60q", want, resp.Header.Get("Content-Range"))
		}
		return nil
	}
	again := snapshot(m.sum)
	if _, err := io.CopyN(again, body, have); err != nil {
		return err
	}
	if !bytes.Equal(again.Sum(nil), d.sum.Sum(nil)) {
		return ErrChanged
	}
	return nil
}

// snapshot copies the state of a digest.
func snapshot(sum hash.Hash) hash.Hash {
	copied, err := sum.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can be copied
	}
	return copied
}

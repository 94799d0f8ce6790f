package lr

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"strings"

	"edrpipe/pkg/edr"
)

// content copies a stored file into d, resuming as often as bytes still come.
func (c *Client) content(ctx context.Context, file string, w edr.Where, d *download) error {
	from := d.n
	begun := snapshot(d.sum)
	pauses := c.pauses()
	for barren := 0; ; {
		had := d.n
		err := c.contentOnce(ctx, file, w, d, from, begun)
		if err == nil {
			return nil
		}
		if d.n > had {
			barren = 0
			pauses.Reset()
		}
		barren++
		var f *failure
		if d.failed != nil || ctx.Err() != nil || !errors.As(err, &f) || !f.passing || barren >= c.cfg.Tries {
			return plain(err, w)
		}
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return unanswered(w, err)
		}
	}
}

// snapshot copies the state of a digest.
func snapshot(sum hash.Hash) hash.Hash {
	copied, err := sum.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can be copied
	}
	return copied
}

// contentOnce copies what is missing of the stored file, which began at byte
// from of d; begun is d's digest at that point.
func (c *Client) contentOnce(ctx context.Context, file string, w edr.Where, d *download, from int64, begun hash.Hash) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	have := d.n - from
	r := call{method: http.MethodGet, path: file + "/content", where: w}
	stall := c.watchStall(cancel)
	defer stall.Stop()
	resp, f := c.send(ctx, r, nil, func(h http.Header) {
		h.Set("Accept-Encoding", "identity") // sizes count, and files do not shrink much
		if have > 0 {
			h.Set("Range", fmt.Sprintf("bytes=%d-", have))
		}
	})
	if f != nil {
		return f
	}
	defer resp.Body.Close()
	if f := c.notFile(resp, r); f != nil {
		return f
	}
	w.Request = r.method + " " + r.path
	broken := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return &failure{err: unanswered(w, err), delivery: answered, passing: !errors.Is(err, ErrChanged)}
	}
	body, err := bodyOf(resp)
	if err != nil {
		return broken(err)
	}
	body = stall.reader(body)
	if have > 0 {
		if err := skip(resp, body, have, snapshot(begun), d.sum); err != nil {
			return broken(err)
		}
	}
	if _, err := io.CopyBuffer(d, body, make([]byte, pieceSize)); err != nil {
		return broken(err)
	}
	return c.checkSize(ctx, file, w, d.n-from)
}

// pieceSize is what is passed on at once, bytes: whoever takes it is woken for each.
const pieceSize = 256 << 10

// bodyOf undoes an encoding that was not asked for.
func bodyOf(resp *http.Response) (io.Reader, error) {
	if resp.Header.Get("Content-Encoding") == "gzip" {
		return gzip.NewReader(resp.Body)
	}
	return resp.Body, nil
}

// skip brings a resumed body to the byte after the first have ones. A server
// that does not know ranges sends them again: then they must be the same. begun
// is the digest at the body's start, sum that after the first have bytes.
func skip(resp *http.Response, body io.Reader, have int64, begun, sum hash.Hash) error {
	if resp.StatusCode == http.StatusPartialContent {
		if want := fmt.Sprintf("bytes %d-", have); !strings.HasPrefix(resp.Header.Get("Content-Range"), want) {
			return fmt.Errorf("asked for %s, got %.60q", want, resp.Header.Get("Content-Range"))
		}
		return nil
	}
	if _, err := io.CopyN(begun, body, have); err != nil {
		return err
	}
	if !bytes.Equal(begun.Sum(nil), sum.Sum(nil)) {
		return ErrChanged
	}
	return nil
}

// notFile recognises an answer that has the status of success and is none: the
// server's errorMessage, or the page of a proxy. Files come as octet-stream,
// whatever is in them.
func (c *Client) notFile(resp *http.Response, r call) *failure {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "text/html" {
		return nil
	}
	f := c.refused(resp, r)
	f.err.Kind, f.passing = edr.ErrServer, true
	return f
}

// checkSize compares what came with what the server has stored: a chunked answer
// has no length, and one that has may be of something else.
func (c *Client) checkSize(ctx context.Context, file string, w edr.Where, got int64) error {
	var stored fileJSON
	if err := c.do(ctx, call{method: http.MethodGet, path: file, out: &stored, repeat: true, where: w}); err != nil {
		return err
	}
	// size may be that of the whole remote file where a part was asked for.
	want := stored.SizeUploaded
	if want == nil || int64(*want) == got {
		return nil
	}
	return &failure{err: &Error{
		Where: w, Kind: edr.ErrServer, Reason: fmt.Sprintf("got %d bytes of a stored file of %d", got, *want),
	}, delivery: answered, passing: got < int64(*want)}
}

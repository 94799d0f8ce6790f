package lr

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"edrpipe/internal/pace"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/liveresponse"
)

// content copies a stored file into d, resuming as often as bytes still come.
func (c *Client) content(ctx context.Context, file string, w edr.Where, d *download) error {
	begun := d.Mark()
	pauses := c.pauses()
	for barren := 0; ; {
		had := d.Size()
		err := c.contentOnce(ctx, file, w, d, begun)
		if err == nil {
			return nil
		}
		if d.Size() > had {
			barren = 0
			pauses.Reset()
		}
		barren++
		var f *failure
		if d.Err() != nil || ctx.Err() != nil || !errors.As(err, &f) || !f.passing || barren >= c.cfg.Tries {
			return plain(err, w)
		}
		if err := pace.Sleep(ctx, pauses.NextBackOff()); err != nil {
			return liveresponse.Unanswered(w, err)
		}
	}
}

// contentOnce copies what is missing of the stored file, which began at begun.
func (c *Client) contentOnce(ctx context.Context, file string, w edr.Where, d *download, begun liveresponse.Mark) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	have := d.Since(begun)
	r := call{method: http.MethodGet, path: file + "/content", where: w}
	stall := liveresponse.WatchStall(c.cfg.StallTimeout, cancel)
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
		return &failure{err: liveresponse.Unanswered(w, err), delivery: answered, passing: !errors.Is(err, ErrChanged)}
	}
	body, err := bodyOf(resp)
	if err != nil {
		return broken(err)
	}
	body = stall.Reader(body)
	if err := d.Resume(resp, body, begun); err != nil {
		return broken(err)
	}
	if _, err := io.CopyBuffer(d, body, make([]byte, pieceSize)); err != nil {
		return broken(err)
	}
	return c.checkSize(ctx, file, w, d.Since(begun))
}

// pieceSize is the size of one write to the receiver, bytes.
const pieceSize = 256 << 10

// bodyOf removes a content encoding that the request did not accept.
func bodyOf(resp *http.Response) (io.Reader, error) {
	if resp.Header.Get("Content-Encoding") == "gzip" {
		return gzip.NewReader(resp.Body)
	}
	return resp.Body, nil
}

// notFile recognises a failure with a status of success: the server's errorMessage,
// or the page of a proxy. Files always come as octet-stream.
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
	// size may be that of the whole remote file for a request of a part.
	want := stored.SizeUploaded
	if want == nil || int64(*want) == got {
		return nil
	}
	return &failure{err: &Error{
		Where: w, Kind: edr.ErrServer, Reason: fmt.Sprintf("got %d bytes of a stored file of %d", got, *want),
	}, delivery: answered, passing: got < int64(*want)}
}

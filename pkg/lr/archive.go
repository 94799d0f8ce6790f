package lr

import (
	"context"
	"io"
	"net/http"

	"edrpipe/pkg/liveresponse"
)

// Archive copies the session's archive into w: a gzip-compressed tar of its
// commands, results and files. A session without content is edr.ErrServer with
// status 500; there is no telling it from another fault.
func (s *Session) Archive(ctx context.Context, w io.Writer) error {
	ctx, stop := s.keep(ctx)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := liveresponse.WatchStall(s.c.cfg.StallTimeout, cancel)
	defer stall.Stop()
	r := call{method: http.MethodGet, path: s.route("archive"), where: s.where()}
	resp, f := s.c.send(ctx, r, nil, func(h http.Header) { h.Set("Accept-Encoding", "identity") })
	if f != nil {
		if f.err.Status == http.StatusInternalServerError {
			f.err.Reason += " (also the answer for a session that has no commands yet)"
		}
		return f.err
	}
	defer resp.Body.Close()
	if f := s.c.notFile(resp, r); f != nil {
		return f.err
	}
	if _, err := io.Copy(w, stall.Reader(resp.Body)); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		where := s.where()
		where.Request = r.method + " " + r.path
		return liveresponse.Unanswered(where, err)
	}
	return nil
}

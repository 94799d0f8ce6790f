package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// stream sends the notices of the bus as server-sent events, so that a page is
// always current. A client that does not keep up is cut off; it comes again and
// reads the state anew.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	ctx, cut := context.WithCancel(r.Context())
	defer cut()
	const ahead = 256
	lines := make(chan string, ahead)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.cfg.Service.Notices(ctx, func(subject string, body []byte) {
			line, err := json.Marshal(map[string]any{"subject": subject, "event": json.RawMessage(body)})
			if err != nil {
				return // not JSON: nothing that a page could show
			}
			select {
			case lines <- string(line):
			default:
				cut()
			}
		})
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn().Err(err).Msg("live notices")
		}
	}()
	defer func() { cut(); <-ended }()
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	_, _ = io.WriteString(w, ": hello\n\n")
	for {
		if rc.Flush() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-alive.C:
			_, _ = io.WriteString(w, ": still here\n\n")
		case line := <-lines:
			_, _ = fmt.Fprintf(w, "data: %s\n\n", line)
		}
	}
}

// download sends a collected file. It came from an endpoint and may be anything,
// so a browser is told to save it and never to show it.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	a, body, err := s.cfg.Service.Artifact(r.Context(), r.PathValue("id"))
	if err != nil {
		route{do: func(*http.Request) (any, error) { return nil, err }}.serve(w, r)
		return
	}
	defer func() { _ = body.Close() }() // only read from
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	h.Set("X-SHA256", a.SHA256)
	if _, err := io.Copy(w, body); err != nil {
		// The length that was promised tells the client that the file is not whole.
		s.cfg.Log.Warn().Err(err).Str("artifact", a.ID).Msg("download")
	}
}

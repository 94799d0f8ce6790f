package web

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"edrpipe/pkg/actions"
)

// A Download sends a collected file. It came from an endpoint and may be anything,
// so a browser is told to save it and never to show it.
type Download struct {
	Open func(ctx context.Context, id string) (actions.Artifact, io.ReadCloser, error)
	Log  zerolog.Logger
}

// ServeHTTP implements http.Handler.
func (s Download) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, body, err := s.Open(r.Context(), r.PathValue("id"))
	if err != nil {
		refuse(w, err)
		return
	}
	defer func() { _ = body.Close() }() // only read from
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}))
	h.Set("Content-Length", strconv.FormatInt(a.Size, 10))
	h.Set("X-SHA256", a.SHA256)
	if _, err := io.Copy(w, body); err != nil {
		// By the announced length the client sees that the file is incomplete.
		s.Log.Warn().Err(err).Str("artifact", a.ID).Msg("download")
	}
}

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// Notices calls see with each notice on the bus until ctx ends. It is the source of a
// Stream.
type Notices func(ctx context.Context, see func(subject string, body []byte)) error

// A Stream sends notices as server-sent events, so that a page is always current. A
// client that does not keep up is cut off; it comes again and reads the state anew.
type Stream struct {
	Notices Notices
	Log     zerolog.Logger
}

// ServeHTTP implements http.Handler.
func (s Stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
		err := s.Notices(ctx, func(subject string, body []byte) {
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
			s.Log.Warn().Err(err).Msg("live notices")
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

package web

import (
	"bytes"
	"context"
	"net/http"
	"strings"
)

// A Call is a call of the API that comes by another way than HTTP. Whoever makes
// it shows a token, as over HTTP, and may do what its role allows.
type Call struct {
	Method string // GET, POST, DELETE
	Path   string // below /api/v1/: jobs/ID/answer
	Query  string // about=sensor:42
	Token  string
	Body   []byte
}

// Call carries a call out, and gives an HTTP status and JSON.
func (s *Server) Call(ctx context.Context, c Call) (status int, reply []byte) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	r, err := http.NewRequestWithContext(ctx, c.Method, "/api/v1/"+strings.TrimPrefix(c.Path, "/"), bytes.NewReader(c.Body))
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return w.status, w.body.Bytes()
	}
	r.URL.RawQuery = c.Query
	r.Header.Set("Authorization", "Bearer "+c.Token)
	s.overBus.ServeHTTP(w, r)
	return w.status, w.body.Bytes()
}

// callRoutes serves the calls that answer with JSON: neither the stream of notices,
// which is on the bus itself, nor the bytes of files.
func (s *Server) callRoutes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.calls {
		if rt.raw == nil {
			mux.Handle(rt.Method+" "+rt.Path, s.auth.require(rt.Role, rt))
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "there is no call "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// recorder keeps what a handler writes.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }

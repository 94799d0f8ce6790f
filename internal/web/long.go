package web

import (
	"context"
	"net/http"
	"time"
)

// Deadlines of the listener. A request without credentials has to be whole within
// readWithin; an answer that takes longer than writeWithin is served by long, which
// extends the deadline with each write.
const (
	headerWithin = 10 * time.Second
	readWithin   = 20 * time.Second
	writeWithin  = time.Minute
	idleWithin   = 2 * time.Minute
	maxHeader    = 64 << 10
)

// lookAgain is how often a long answer makes sure that its user still may have it.
const lookAgain = time.Second

// long serves answers that take long to users that require has let through: each
// write has a deadline of its own, and the answer ends when the user logs out, is
// changed or is removed.
func (s *Server) long(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.SetReadDeadline(time.Time{}) // the request is whole
		ctx, end := context.WithCancel(r.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if s.auth.lost(ctx, r) {
				end()
				_ = rc.SetWriteDeadline(time.Unix(1, 0)) // a write that hangs ends, too
			}
		}()
		defer func() { end(); <-watched }()
		next.ServeHTTP(&patient{ResponseWriter: w, rc: rc, ctx: ctx}, r.WithContext(ctx))
	})
}

// lost blocks until the request's user is not the one any more that require let
// through, and reports true; or false when ctx ends.
func (a *auth) lost(ctx context.Context, r *http.Request) bool {
	was := UserOf(r.Context()).digest()
	tick := time.NewTicker(a.look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			if user, ok := a.identify(r); !ok || user.digest() != was {
				return true
			}
		}
	}
}

// patient gives each write a deadline of its own.
type patient struct {
	http.ResponseWriter
	rc  *http.ResponseController
	ctx context.Context // of the request; ends with the user's right to the answer
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(writeWithin)) // an error means that there is no connection
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

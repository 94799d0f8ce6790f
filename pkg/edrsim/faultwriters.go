package edrsim

import (
	"errors"
	"net"
	"net/http"
	"time"
)

// hangUp resets the connection as a failing network does; where there is none of
// our own it only breaks off.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		if !errors.Is(err, http.ErrNotSupported) && !errors.Is(err, http.ErrHijacked) {
			return
		}
		panic(http.ErrAbortHandler)
	}
	if outer, ok := conn.(interface{ NetConn() net.Conn }); ok { // under TLS a close would be an orderly end
		conn = outer.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// lostWriter discards an answer that is to be lost.
type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *lostWriter) WriteHeader(int)             {}

// resetWriter lets a part of a body through and then breaks the connection.
type resetWriter struct {
	http.ResponseWriter
	h    uint64
	left int64 // bytes; -1 before the first write
}

// expect sets the size of a streamed body, so that its breaking point can be anywhere in
// it.
func (w *resetWriter) expect(size int64) { w.left = int64(fraction(w.h) * float64(size)) }

func (w *resetWriter) Write(p []byte) (int, error) {
	if w.left < 0 {
		w.left = int64(fraction(w.h) * float64(len(p)))
	}
	n, err := w.ResponseWriter.Write(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if err == nil && n < len(p) {
		http.NewResponseController(w.ResponseWriter).Flush()
		// A reset discards what the client has not read yet; an early end of the
		// stream does not. Networks do both.
		if w.h%2 == 0 {
			hangUp(w.ResponseWriter)
		}
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (w *resetWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// truncatedWriter cuts JSON, not other bodies.
type truncatedWriter struct {
	http.ResponseWriter
	h uint64
}

func (w *truncatedWriter) truncate(body []byte) []byte {
	return body[:int(fraction(w.h)*float64(len(body)))]
}

func (w *truncatedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// slowWriter sends the first bytes one by one and the rest in small pieces.
type slowWriter struct {
	http.ResponseWriter
	r    *http.Request
	sent int
}

func (w *slowWriter) Write(p []byte) (int, error) {
	const singly, pause, piece = 200, 2 * time.Millisecond, 64 << 10
	for done := 0; done < len(p); {
		size := min(piece, len(p)-done)
		if w.sent < singly {
			size = 1
		}
		n, err := w.ResponseWriter.Write(p[done : done+size])
		done += n
		w.sent += n
		if err != nil {
			return done, err
		}
		http.NewResponseController(w.ResponseWriter).Flush()
		if w.sent <= singly || size == piece {
			sleepReal(w.r, pause)
		}
		if err := w.r.Context().Err(); err != nil {
			return done, err
		}
	}
	return len(p), nil
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

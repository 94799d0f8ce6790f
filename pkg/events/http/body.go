package http

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/semaphore"
)

// read reads and unpacks a body within the limits of one post and of all of them
// together. Release gives its memory free again and is never nil.
func (s *Source) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	budget := &budget{sem: s.memory}
	var in io.Reader = patient{http.MaxBytesReader(w, r.Body, s.c.MaxBody), http.NewResponseController(w), s.c.Patience}
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, budget.release, tooLargeOr(err, "the body is not gzip")
		}
		in = z
	default:
		return nil, budget.release, refuse(http.StatusUnsupportedMediaType, "Content-Encoding %q is not known: gzip or none", encoding)
	}
	var out bytes.Buffer
	budget.r = io.LimitReader(in, s.c.MaxBody+1)
	if _, err := out.ReadFrom(budget); err != nil {
		return nil, budget.release, tooLargeOr(err, "the body ends too early")
	}
	if int64(out.Len()) > s.c.MaxBody {
		return nil, budget.release, tooLarge(s.c.MaxBody)
	}
	return out.Bytes(), budget.release, nil
}

func tooLarge(limit int64) error {
	return refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", limit)
}

// tooLargeOr tells a limit and a full house from a body that is broken.
func tooLargeOr(err error, broken string) error {
	var limit *http.MaxBytesError
	var no *refusal
	switch {
	case errors.As(err, &limit):
		return tooLarge(limit.Limit)
	case errors.As(err, &no):
		return no
	default:
		return refuse(http.StatusBadRequest, "%s: %v", broken, err)
	}
}

// within is how long a client that has shown a token may send nothing.
const within = 30 * time.Second

// patient extends the connection's deadlines while an authenticated client sends,
// where the listener has any: large posts over slow lines are normal.
type patient struct {
	r        io.Reader
	rc       *http.ResponseController
	patience time.Duration // what the answer takes at most after the body has come
}

func (p patient) Read(b []byte) (int, error) {
	now := time.Now()
	_ = p.rc.SetReadDeadline(now.Add(within)) // not every listener has deadlines
	_ = p.rc.SetWriteDeadline(now.Add(2*within + p.patience))
	return p.r.Read(b)
}

// budget is a reader that takes memory from what all posts share, as it goes.
type budget struct {
	r     io.Reader
	sem   *semaphore.Weighted
	taken int64
}

func (b *budget) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if n > 0 {
		if !b.sem.TryAcquire(int64(n)) {
			return 0, errBusy
		}
		b.taken += int64(n)
	}
	return n, err
}

func (b *budget) release() { b.sem.Release(b.taken) }

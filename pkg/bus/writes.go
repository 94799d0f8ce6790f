package bus

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Failing is a stream that stores no writes though its server is connected and may
// answer other requests, for example after a full disk.
type Failing struct {
	Stream string
	Since  time.Time // of the first write that failed; none has succeeded since
	Err    error     // of the latest
}

const (
	failingAfter = 10 * time.Second // longer than a cluster's election
	failingFades = time.Minute      // when no write tells any more how it is now
)

// writes remembers how the latest writes to each stream ended.
type writes struct {
	streams []jetstream.StreamConfig

	mu   sync.Mutex
	fail map[string]*failure // by stream
}

type failure struct {
	first, last time.Time
	err         error
}

// published records the outcome of a message, for a stream of ours or another.
func (w *writes) published(subject string, err error) {
	if stream := w.streamOf(subject); stream != "" {
		w.note(stream, err)
	}
}

// note records the outcome of a write to a stream.
func (w *writes) note(stream string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case refused(err):
		f := w.fail[stream]
		if f == nil || time.Since(f.last) > failingFades {
			f = &failure{first: time.Now()}
			w.fail[stream] = f
		}
		f.last, f.err = time.Now(), err
	case err == nil || answered(err):
		delete(w.fail, stream)
	}
}

// refused reports whether err is that of a stream that stores no writes: no answer, or
// no space. A lost connection or a cancelled caller is no evidence.
func refused(err error) bool {
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.Code == http.StatusServiceUnavailable
	}
	for _, e := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, jetstream.ErrNoStreamResponse, jetstream.ErrTooManyStalledMsgs} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// answered reports whether err is a refusal of one write by a working stream.
func answered(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api)
}

// forget is called when the server may be another one: it has been restarted.
func (w *writes) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.fail)
}

func (w *writes) failing() []Failing {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Failing
	for stream, f := range w.fail {
		if f.last.Sub(f.first) >= failingAfter && time.Since(f.last) < failingFades {
			all = append(all, Failing{stream, f.first, f.err})
		}
	}
	slices.SortFunc(all, func(a, b Failing) int { return cmp.Compare(a.Stream, b.Stream) })
	return all
}

// streamOf is the stream that keeps a subject; empty: none of ours.
func (w *writes) streamOf(subject string) string {
	if key, ok := strings.CutPrefix(subject, "$KV."); ok { // a record that was written with others
		bucket, _, _ := strings.Cut(key, ".")
		return "KV_" + bucket
	}
	for _, s := range w.streams {
		for _, pattern := range s.Subjects {
			if prefix, open := strings.CutSuffix(pattern, ">"); subject == pattern || open && strings.HasPrefix(subject, prefix) {
				return s.Name
			}
		}
	}
	return ""
}

package liveresponse

import (
	"context"
	"fmt"
	"io"
	"time"

	"edrpipe/pkg/edr"
)

// A StallTimer ends a transfer that moves no byte for its limit. A transfer as a
// whole may take as long as it needs.
type StallTimer struct {
	*time.Timer
	limit time.Duration
}

// WatchStall starts the timer; its end cancels with edr.ErrTimeout.
func WatchStall(limit time.Duration, cancel context.CancelCauseFunc) StallTimer {
	return StallTimer{limit: limit, Timer: time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("no byte moved for %s: %w", limit, edr.ErrTimeout))
	})}
}

// Reader notes each read as movement.
func (s StallTimer) Reader(r io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		n, err := r.Read(b)
		if n > 0 {
			s.Reset(s.limit)
		}
		return n, err
	})
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

package lr

import (
	"context"
	"fmt"
	"io"
	"time"

	"edrpipe/pkg/edr"
)

// stallTimer ends a transfer that moves no byte for Config.StallTimeout. A
// transfer as a whole may take as long as it needs.
type stallTimer struct {
	*time.Timer
	limit time.Duration
}

func (c *Client) watchStall(cancel context.CancelCauseFunc) stallTimer {
	limit := c.cfg.StallTimeout
	return stallTimer{limit: limit, Timer: time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("no byte moved for %s: %w", limit, edr.ErrTimeout))
	})}
}

// reader notes each read as movement.
func (s stallTimer) reader(r io.Reader) io.Reader {
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

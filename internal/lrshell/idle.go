package lrshell

import (
	"context"
	"sync/atomic"
	"time"
)

// The session of an idle prompt is kept for a while, since a new one takes a
// check-in; then its slot is left to others.
const (
	keepAliveEvery = 30 * time.Second
	keepAliveFor   = 15 * time.Minute
)

// idler keeps the endpoint's session alive between commands.
type idler struct {
	cancel context.CancelFunc
	ended  chan struct{}
	used   atomic.Int64 // unix nanoseconds of the last command
}

func (s *Shell) keepAlive(ctx context.Context) *idler {
	ctx, cancel := context.WithCancel(ctx)
	i := &idler{cancel: cancel, ended: make(chan struct{})}
	i.touch()
	go func() {
		defer close(i.ended)
		tick := time.NewTicker(keepAliveEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if time.Since(time.Unix(0, i.used.Load())) < keepAliveFor {
				_ = s.Endpoint.KeepAlive(ctx) // the next command reports the error
			}
		}
	}()
	return i
}

func (i *idler) touch() { i.used.Store(time.Now().UnixNano()) }

func (i *idler) stop() {
	i.cancel()
	<-i.ended
}

package buswatch

import (
	"context"
	"sync"
	"time"

	"edrpipe/pkg/bus"
)

// probe writes a small record now and then to know whether the bus stores: a NATS
// server whose disk is full stays connected and answers questions.
type probe struct {
	mu  sync.Mutex
	at  time.Time
	err error // of the latest write
}

const (
	probeEvery  = 3 * time.Second
	probeWithin = 2 * time.Second
)

// write returns why the bus did not store a record within the last seconds; nil: it
// did.
func (p *probe) write(ctx context.Context, b *bus.Bus, owner string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.at.IsZero() && time.Since(p.at) < probeEvery {
		return p.err
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	control, err := b.Bucket(ctx, bus.BucketControl)
	if err == nil {
		_, err = control.PutString(ctx, "probe."+bus.Key(owner), time.Now().UTC().Format(time.RFC3339))
	}
	p.at, p.err = time.Now(), err
	return err
}

package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/conflict"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs"
)

// settledKey is the record of the jobs with an unknown outcome that people have dealt with
// by hand: when, by job. It has those that are still listed otherwise.
const settledKey = "outcomes.settled"

// Bounds of that record and of writing it beside other replicas.
const (
	maxSettled  = 5000
	settleTries = 5
)

// readSettled returns the record and its revision; 0: there is none.
func (c *Console) readSettled(ctx context.Context) (kv jetstream.KeyValue, settled map[string]time.Time, revision uint64, err error) {
	settled = map[string]time.Time{}
	kv, err = c.Bus.Bucket(ctx, bus.BucketControl)
	if err != nil {
		return nil, nil, 0, err
	}
	entry, err := kv.Get(ctx, settledKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return kv, settled, 0, nil
	case err != nil:
		return nil, nil, 0, fmt.Errorf("settled outcomes: %w", err)
	}
	if err := json.Unmarshal(entry.Value(), &settled); err != nil {
		return nil, nil, 0, fmt.Errorf("settled outcomes: %w", err)
	}
	return kv, settled, entry.Revision(), nil
}

// settle notes that people have dealt with a job's unknown outcome: it needs no person any
// more.
func (c *Console) settle(ctx context.Context, job string) error {
	for try := 0; ; try++ {
		kv, settled, revision, err := c.readSettled(ctx)
		if err != nil {
			return err
		}
		for id, at := range settled {
			if c.Now().Sub(at) > unknownBack {
				delete(settled, id) // its job is not listed any more
			}
		}
		if len(settled) >= maxSettled {
			return fmt.Errorf("%w: %d outcomes were settled by hand within %v: that is as many as are kept", jobs.ErrRefused, len(settled), unknownBack)
		}
		settled[job] = c.Now().UTC()
		data, err := json.Marshal(settled)
		if err != nil {
			return err
		}
		if revision == 0 {
			_, err = kv.Create(ctx, settledKey, data)
		} else {
			_, err = kv.Update(ctx, settledKey, data, revision)
		}
		if err == nil || !conflict.Is(err) || try == settleTries {
			return err
		}
	}
}

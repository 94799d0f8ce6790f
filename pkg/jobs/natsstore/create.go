package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
	"golang.org/x/sync/errgroup"

	"edrpipe/internal/pace"
	"edrpipe/pkg/jobs/job"
)

// maxBatch is how many records go into one atomic batch; the server takes 1,000.
const maxBatch = 500

// Create implements Store: up to 500 jobs are one atomic batch, which costs the
// disk little more than one record.
func (k *Store) Create(ctx context.Context, js []*job.Job) ([]bool, error) {
	created := make([]bool, len(js))
	for start := 0; start < len(js); start += maxBatch {
		end := min(start+maxBatch, len(js))
		if err := k.createBatch(ctx, js[start:end], created[start:end]); err != nil {
			return nil, err
		}
	}
	return created, nil
}

// createBatch writes the new ones of js. A batch in which one exists already, or is
// created by somebody else at the same moment, is refused whole and asked for again
// without it.
func (k *Store) createBatch(ctx context.Context, js []*job.Job, created []bool) error {
	buckets := []jetstream.KeyValue{k.finished} // that a key has no history in the live one is asked by writing
	for {
		known, err := k.known(ctx, js, buckets)
		if err != nil {
			return err
		}
		msgs, fresh, err := k.newRecords(js, known)
		if err != nil || len(msgs) == 0 {
			return err
		}
		last, err := k.writeBatch(ctx, msgs)
		if conflict.Is(err) {
			buckets = []jetstream.KeyValue{k.finished, k.live}
			if err := pace.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("record %d jobs: %w", len(msgs), err)
		}
		for n, i := range fresh {
			created[i] = true
			js[i].Revision = last - uint64(len(fresh)-1-n)
		}
		return nil
	}
}

// newRecords encodes the jobs that are not known, each id once; fresh are their
// places in js.
func (k *Store) newRecords(js []*job.Job, known []bool) (msgs []*nats.Msg, fresh []int, err error) {
	seen := map[string]bool{}
	for i, j := range js {
		if known[i] || seen[j.ID] {
			continue
		}
		seen[j.ID] = true
		data, err := k.encode(k.live.Bucket(), j)
		if err != nil {
			return nil, nil, err
		}
		msgs, fresh = append(msgs, k.message(j.ID, data, 0)), append(fresh, i)
	}
	return msgs, fresh, nil
}

// lookups is how many records are looked up at once.
const lookups = 16

// known tells which of the jobs are in one of the buckets.
func (k *Store) known(ctx context.Context, js []*job.Job, buckets []jetstream.KeyValue) ([]bool, error) {
	known := make([]bool, len(js))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, j := range js {
		g.Go(func() error {
			var err error
			if known[i], err = has(ctx, buckets, j.ID); err != nil || known[i] {
				return err
			}
			if old := j.OldID(); k.old && old != "" {
				known[i], err = has(ctx, []jetstream.KeyValue{k.finished, k.live}, old)
			}
			return err
		})
	}
	return known, g.Wait()
}

// has reports whether a key is in one of the buckets.
func has(ctx context.Context, buckets []jetstream.KeyValue, key string) (bool, error) {
	for _, bucket := range buckets {
		_, err := bucket.Get(ctx, key)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return false, fmt.Errorf("job %s: %w", key, err)
		}
	}
	return false, nil
}

// writeBatch writes messages to the live bucket's stream, all or none, and
// returns the sequence of the last. One alone needs no batch, for which the server
// makes a store of its own on the disk first: several times the price.
func (k *Store) writeBatch(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	if len(msgs) == 1 {
		ack, err := k.js.PublishMsg(ctx, msgs[0])
		if err != nil {
			return 0, err
		}
		return ack.Sequence, nil
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, k.js, msgs, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

const batchTimeout = 10 * time.Second

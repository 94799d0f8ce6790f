package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/seal"
)

// oldKey marks a live bucket in which records of the old form were found. Jobs were
// given other ids then, so that a new job is looked up under its old id, too, for as
// long as an event of that time may be delivered again.
const (
	oldKey = "format.1"
	oldFor = 60 * 24 * time.Hour
)

// findOld notes whether jobs may be known by the ids of the old form.
func (k *Store) findOld(ctx context.Context, now time.Time) error {
	entry, err := k.live.Get(ctx, oldKey)
	if err == nil {
		k.old = now.Sub(entry.Created()) < oldFor
		return nil
	}
	if !errors.Is(err, jetstream.ErrKeyNotFound) {
		return fmt.Errorf("read %s of bucket %s: %w", oldKey, k.live.Bucket(), err)
	}
	for _, bucket := range []jetstream.KeyValue{k.live, k.finished} {
		if k.old, err = k.hasOld(ctx, bucket.Bucket()); err != nil {
			return fmt.Errorf("read the oldest records of bucket %s: %w", bucket.Bucket(), err)
		}
		if k.old {
			_, err := k.live.Create(ctx, oldKey, []byte("records of form 1 were found"))
			if conflict.Is(err) {
				return nil // another replica was quicker
			}
			return err
		}
	}
	return nil
}

// hasOld reports whether the oldest records of a bucket are of the old form. A
// bucket that begins with many markers of deleted ones counts as if they were.
func (k *Store) hasOld(ctx context.Context, bucket string) (bool, error) {
	stream, err := k.js.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return false, err
	}
	state := stream.CachedInfo().State
	const looks = 200
	first := max(state.FirstSeq, 1)
	for seq := first; seq <= state.LastSeq; seq++ {
		if seq-first == looks {
			return true, nil
		}
		m, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if data := seal.Content(m.Data); len(data) >= recordHead && knownVersion(data) {
			return strings.HasPrefix(string(data), oldVersion), nil
		}
	}
	return false, nil
}

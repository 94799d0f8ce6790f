package guard

import (
	"context"
	"errors"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
)

// KV is a Store in a bucket that all replicas share. Of a sealed bucket a record that
// does not verify is an error that is seal.ErrForeign.
type KV struct{ Bucket jetstream.KeyValue }

// Get implements Store.
func (k KV) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	e, err := k.Bucket.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return e.Value(), e.Revision(), nil
}

// Refuse implements refuser.
func (k KV) Refuse(key string, revision uint64, err error) error {
	if sealed, ok := k.Bucket.(bus.SealedBucket); ok {
		return sealed.Refuse(key, revision, err)
	}
	return err
}

// Put implements Store.
func (k KV) Put(ctx context.Context, key string, value []byte, revision uint64) error {
	var err error
	if revision == 0 {
		_, err = k.Bucket.Create(ctx, key, value)
	} else {
		_, err = k.Bucket.Update(ctx, key, value, revision)
	}
	if conflict.Is(err) {
		return ErrConflict
	}
	return err
}

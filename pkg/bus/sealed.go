package bus

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/seal"
)

// SealedBucket is a bucket whose values are sealed when they are written, and opened when
// Get reads them. Its other ways to read give sealed values.
type SealedBucket struct {
	jetstream.KeyValue
	keeper *seal.Keeper
}

// Sealed makes the sealed view of a bucket.
func Sealed(kv jetstream.KeyValue, k *seal.Keeper) SealedBucket { return SealedBucket{kv, k} }

// opened is an entry with its content in place of its sealed value.
type opened struct {
	jetstream.KeyValueEntry
	value []byte
}

// Value implements jetstream.KeyValueEntry.
func (o opened) Value() []byte { return o.value }

// Get implements jetstream.KeyValue. The error of a record that does not verify is a
// *seal.Foreign.
func (s SealedBucket) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	entry, err := s.KeyValue.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	value, err := s.keeper.Open(s.Bucket(), key, entry.Value(), entry.Revision())
	if err != nil {
		return nil, err
	}
	return opened{entry, value}, nil
}

// Put implements jetstream.KeyValue.
func (s SealedBucket) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	record := s.keeper.Seal(s.Bucket(), key, value)
	return s.wrote(key, record)(s.KeyValue.Put(ctx, key, record))
}

// PutString implements jetstream.KeyValue.
func (s SealedBucket) PutString(ctx context.Context, key, value string) (uint64, error) {
	return s.Put(ctx, key, []byte(value))
}

// Create implements jetstream.KeyValue.
func (s SealedBucket) Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	record := s.keeper.Seal(s.Bucket(), key, value)
	return s.wrote(key, record)(s.KeyValue.Create(ctx, key, record, opts...))
}

// Update implements jetstream.KeyValue.
func (s SealedBucket) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	record := s.keeper.Seal(s.Bucket(), key, value)
	return s.wrote(key, record)(s.KeyValue.Update(ctx, key, record, revision))
}

// wrote has the keeper remember a record whose write has succeeded.
func (s SealedBucket) wrote(key string, record []byte) func(uint64, error) (uint64, error) {
	return func(revision uint64, err error) (uint64, error) {
		if err == nil {
			s.keeper.Wrote(s.Bucket(), key, record, revision)
		}
		return revision, err
	}
}

// Refuse notes that a record whose seal verifies has a content that cannot be read, and
// returns the *seal.Foreign.
func (s SealedBucket) Refuse(key string, revision uint64, err error) error {
	return s.keeper.Refuse(s.Bucket(), key, revision, err)
}

// Raw is the bucket below, with values as they are stored.
func (s SealedBucket) Raw() jetstream.KeyValue { return s.KeyValue }

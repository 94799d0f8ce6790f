package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/seal"
)

// records changes small records in the bucket that all replicas share. It implements
// directory.Store.
type records struct{ store guard.KV }

// recordAttempts bounds how often a change is tried while other replicas write.
const recordAttempts = 100

// Update implements directory.Store.
func (r records) Update(ctx context.Context, key string, change func(record []byte) ([]byte, error)) error {
	for attempt := range recordAttempts {
		before, revision, err := r.store.Get(ctx, key)
		if err != nil {
			return err
		}
		after, err := change(before)
		if errors.Is(err, seal.ErrForeign) { // its seal verifies, and its content cannot be read
			return r.store.Refuse(key, revision, err)
		}
		if err != nil || after == nil {
			return err
		}
		if err = r.store.Put(ctx, key, after, revision); !errors.Is(err, guard.ErrConflict) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(time.Duration(attempt)*time.Millisecond, 50*time.Millisecond)):
		}
	}
	return fmt.Errorf("record %s: %w, %d times", key, guard.ErrConflict, recordAttempts)
}

// control are the records in the bucket of what is shared.
func (s *Service) control(ctx context.Context) (records, error) {
	bucket, err := s.bus.Bucket(ctx, bus.BucketControl)
	return records{guard.KV{Bucket: bucket}}, err
}

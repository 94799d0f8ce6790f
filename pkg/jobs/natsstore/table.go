package natsstore

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/jobs/job"
)

// Table is a job.TableStore in one key of a JetStream bucket, for replicas. While its
// record does not verify no sensor can be claimed, and claims are not renewed.
type Table struct {
	Bucket jetstream.KeyValue
	Server string // name of the EDR server
}

func (k Table) key() string { return "slots." + bus.Key(k.Server) }

// Load implements TableStore.
func (k Table) Load(ctx context.Context) (job.Table, uint64, error) {
	entry, err := k.Bucket.Get(ctx, k.key())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return job.Table{}.Clone(), 0, nil
	}
	if err != nil {
		return job.Table{}, 0, fmt.Errorf("read %s: %w", k.key(), err)
	}
	t, err := job.DecodeTable(k.Server, entry.Value())
	if err != nil {
		if sealed, ok := k.Bucket.(bus.SealedBucket); ok {
			err = sealed.Refuse(k.key(), entry.Revision(), err)
		}
		return job.Table{}, 0, err
	}
	return t, entry.Revision(), nil
}

// Save implements TableStore.
func (k Table) Save(ctx context.Context, t job.Table, revision uint64) (uint64, error) {
	data, err := t.Encode()
	if err != nil {
		return 0, err
	}
	next, err := k.Bucket.Update(ctx, k.key(), data, revision)
	if conflict.Is(err) {
		return 0, fmt.Errorf("slot table at revision %d: %w", revision, job.ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", k.key(), err)
	}
	return next, nil
}

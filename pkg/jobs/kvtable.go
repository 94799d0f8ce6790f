package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// KVTable is a TableStore in one key of a JetStream bucket, for replicas.
type KVTable struct {
	Bucket jetstream.KeyValue
	Server string // name of the EDR server; letters, digits, - and _
}

func (k KVTable) key() string { return "slots." + k.Server }

// Load implements TableStore.
func (k KVTable) Load(ctx context.Context) (Table, uint64, error) {
	entry, err := k.Bucket.Get(ctx, k.key())
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Table{}.clone(), 0, nil
	}
	if err != nil {
		return Table{}, 0, fmt.Errorf("read %s: %w", k.key(), err)
	}
	t, err := decodeTable(entry.Value())
	return t, entry.Revision(), err
}

// Save implements TableStore.
func (k KVTable) Save(ctx context.Context, t Table, revision uint64) (uint64, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return 0, fmt.Errorf("encode slot table: %w", err)
	}
	next, err := k.Bucket.Update(ctx, k.key(), data, revision)
	if isConflict(err) {
		return 0, fmt.Errorf("slot table at revision %d: %w", revision, ErrConflict)
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", k.key(), err)
	}
	return next, nil
}

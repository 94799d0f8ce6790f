// Package quarantine shows the records on the bus that do not verify, and what a person
// does about them: drop a record, or bring back the one before it. Until then whatever
// depends on such a record is held. The records stay where they are: a replica with a
// wrong key must not be able to take everything away from the others.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/seal"
)

// buckets hold records that replicas share.
var buckets = []string{bus.BucketControl, bus.BucketJobs, bus.BucketFinished}

// Errors of Drop and Restore.
var (
	ErrNotThere = errors.New("there is no such record in quarantine")
	ErrNoRecord = errors.New("it is no record")
	ErrNoCopy   = errors.New("no good copy of the record is known")
)

// Record is a record in quarantine.
type Record struct {
	seal.Foreign
	Copy bool `json:"copy,omitempty"` // this replica has seen a good record there, which restore brings back
}

// Quarantine looks after foreign records. All fields are needed but Dropped.
type Quarantine struct {
	Bus     *bus.Bus
	Keeper  *seal.Keeper
	Dropped func(ctx context.Context, bucket, key string) // is told what was dropped; nil: nobody is
	Count   func(bucket string, n int)                    // is told how many records of each bucket are known to be foreign
	Log     zerolog.Logger
}

// lookEvery is how often the known foreign records are read again.
const lookEvery = 5 * time.Second

// Run reads every record once, and then keeps the list of foreign ones current until ctx
// ends.
func (q *Quarantine) Run(ctx context.Context) {
	if _, err := q.List(ctx); err != nil && ctx.Err() == nil {
		q.Log.Warn().Err(err).Msg("reading all records for foreign ones")
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := q.look(ctx); err != nil && ctx.Err() == nil {
			q.Log.Warn().Err(err).Msg("reading the records in quarantine again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads the known foreign records again, and tells their number.
func (q *Quarantine) look(ctx context.Context) error {
	var errs []error
	for _, f := range append(q.Keeper.Foreign(), seal.Foreign{Bucket: bus.BucketControl, Key: checkKey}) {
		_, err := q.read(ctx, f.Bucket, f.Key)
		if err != nil && !errors.Is(err, ErrNotThere) {
			errs = append(errs, err)
		}
	}
	n := map[string]int{}
	for _, f := range q.Keeper.Foreign() {
		n[f.Bucket]++
	}
	for _, b := range buckets {
		q.Count(b, n[b])
	}
	return errors.Join(errs...)
}

// read reads a record as it is stored and has the keeper judge it.
func (q *Quarantine) read(ctx context.Context, bucket, key string) (jetstream.KeyValueEntry, error) {
	kv, err := q.raw(ctx, bucket)
	if err != nil {
		return nil, err
	}
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		q.Keeper.Forget(bucket, key)
		return nil, fmt.Errorf("%s %s: %w", bucket, key, ErrNotThere)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of bucket %s: %w", key, bucket, err)
	}
	_, _ = q.Keeper.Open(bucket, key, entry.Value(), entry.Revision()) // the keeper remembers
	return entry, nil
}

func (q *Quarantine) raw(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	for _, b := range buckets {
		if b == bucket {
			return q.Bus.JetStream().KeyValue(ctx, bucket)
		}
	}
	return nil, fmt.Errorf("bucket %q: %w", bucket, ErrNotThere)
}

// sealed reports whether the records of that key are sealed: some in the bucket of jobs
// are only marks, and no jobs.
func sealedKey(bucket, key string) bool {
	return bucket == bus.BucketControl || !strings.Contains(key, ".")
}

// List reads every record and returns those that do not verify.
func (q *Quarantine) List(ctx context.Context) ([]Record, error) {
	for _, bucket := range buckets {
		err := each(ctx, q.Bus.JetStream(), bucket, func(key string, m jetstream.Msg, revision uint64) error {
			_, _ = q.Keeper.Open(bucket, key, m.Data(), revision)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read bucket %s: %w", bucket, err)
		}
	}
	if err := q.look(ctx); err != nil {
		return nil, err
	}
	all := []Record{}
	for _, f := range q.Keeper.Foreign() {
		_, known := q.Keeper.Last(f.Bucket, f.Key)
		all = append(all, Record{f, known})
	}
	return all, nil
}

// Drop removes a foreign record: what it held begins anew.
func (q *Quarantine) Drop(ctx context.Context, bucket, key string) error {
	if _, err := q.foreign(ctx, bucket, key); err != nil {
		return err
	}
	stream, err := q.Bus.JetStream().Stream(ctx, "KV_"+bucket)
	if err != nil {
		return err
	}
	// Without a marker: a job may be recorded under its key again, as one that was lost.
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+bucket+"."+key)); err != nil {
		return fmt.Errorf("drop %s of bucket %s: %w", key, bucket, err)
	}
	q.Keeper.Forget(bucket, key)
	if q.Dropped != nil {
		q.Dropped(ctx, bucket, key)
	}
	return nil
}

// Restore puts the latest good record of the key that this replica has seen over a
// foreign one. With asIs it seals the foreign record as it is: a person vouches for it.
func (q *Quarantine) Restore(ctx context.Context, bucket, key string, asIs bool) error {
	entry, err := q.foreign(ctx, bucket, key)
	if err != nil {
		return err
	}
	record, ok := q.Keeper.Last(bucket, key)
	if asIs {
		content := seal.Content(entry.Value())
		if err := wellFormed(bucket, key, content); err != nil {
			return fmt.Errorf("%s of bucket %s cannot be kept as it is: %w: %w", key, bucket, ErrNoRecord, err)
		}
		record, ok = q.Keeper.Seal(bucket, key, content), true
	}
	if !ok {
		return fmt.Errorf("%s of bucket %s: %w by this replica: drop it, or keep it as it is (--as-is)", key, bucket, ErrNoCopy)
	}
	m := nats.NewMsg("$KV." + bucket + "." + key)
	m.Data = record
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(entry.Revision(), 10))
	if _, err := q.Bus.JetStream().PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("restore %s of bucket %s: %w", key, bucket, err)
	}
	_, err = q.read(ctx, bucket, key)
	return err
}

// foreign reads a record that is in quarantine, and no other.
func (q *Quarantine) foreign(ctx context.Context, bucket, key string) (jetstream.KeyValueEntry, error) {
	entry, err := q.read(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	for _, f := range q.Keeper.Foreign() {
		if f.Bucket == bucket && f.Key == key {
			return entry, nil
		}
	}
	return nil, fmt.Errorf("%s of bucket %s verifies: %w", key, bucket, ErrNotThere)
}

// each visits the sealed records of a bucket at this moment.
func each(ctx context.Context, js jetstream.JetStream, bucket string, visit func(key string, m jetstream.Msg, revision uint64) error) error {
	return bus.Each(ctx, js, "KV_"+bucket, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		key := strings.TrimPrefix(m.Subject(), "$KV."+bucket+".")
		if !sealedKey(bucket, key) {
			return nil
		}
		return visit(key, m, meta.Sequence.Stream)
	})
}

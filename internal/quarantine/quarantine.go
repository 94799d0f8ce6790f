// Package quarantine shows the records on the bus that do not verify, and what a person
// does about them: drop a record, or bring back the one before it. Until then whatever
// depends on such a record is held. The records stay where they are: a replica with a
// wrong key must not be able to take everything away from the others.
package quarantine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"edrpipe/pkg/artifacts"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/seal"
)

// stores hold records that replicas share.
var stores = bus.SealedStores()

// Errors of Drop and Restore.
var (
	ErrNotThere = errors.New("there is no such record in quarantine")
	ErrNoRecord = errors.New("it is no record")
	ErrNoCopy   = errors.New("no good copy of the record is known")
)

// Record is a record in quarantine.
type Record struct {
	seal.Foreign
	Held string `json:"held"`           // what is held because of it
	Copy bool   `json:"copy,omitempty"` // this replica has seen a good record there, which restore brings back
}

// Files are collected files, whose records have no seal: only some cannot be read.
type Files interface {
	List(context.Context, artifacts.Filter) ([]artifacts.Record, error)
	Remove(ctx context.Context, id string) error
}

// Quarantine looks after foreign records. All fields are needed but Files, Dropped and
// Adopted.
type Quarantine struct {
	Bus     *bus.Bus
	Keeper  *seal.Keeper
	Dropped func(ctx context.Context, bucket, key string) // called with each record that was dropped; may be nil
	// Adopted is called with the number of records of a bucket that the first start with
	// a key has sealed, and of those that it left without a seal; may be nil.
	Adopted func(ctx context.Context, bucket string, sealed, left int) error
	Files   Files
	Count   func(bucket string, n int) // is told how many records of each bucket are known to be foreign
	Log     zerolog.Logger
}

// lookEvery is how often the known foreign records are read again.
const lookEvery = 5 * time.Second

// Run reads every record once, and then keeps the list of foreign ones current until ctx
// ends.
func (q *Quarantine) Run(ctx context.Context) {
	if err := q.readAll(ctx); err != nil && ctx.Err() == nil {
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
	for _, s := range stores {
		q.Count(s.Name, n[s.Name])
	}
	return errors.Join(errs...)
}

// read reads a record as it is stored and has the keeper judge it.
func (q *Quarantine) read(ctx context.Context, bucket, key string) (*jetstream.RawStreamMsg, error) {
	store, stream, err := q.open(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, store.Prefix+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) || err == nil && bus.IsMarker(m.Header) {
		q.Keeper.Forget(bucket, key)
		return nil, fmt.Errorf("%s %s: %w", bucket, key, ErrNotThere)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of bucket %s: %w", key, bucket, err)
	}
	_, _ = q.Keeper.Open(bucket, key, m.Data, m.Sequence) // the keeper remembers
	return m, nil
}

// open returns the stream in which a record of that key would be.
func (q *Quarantine) open(ctx context.Context, bucket, key string) (bus.SealedStore, jetstream.Stream, error) {
	for _, s := range stores {
		if s.Name == bucket && key != "" && !strings.ContainsAny(key, "*> \t\r\n") {
			stream, err := q.Bus.JetStream().Stream(ctx, s.Stream)
			return s, stream, err
		}
	}
	return bus.SealedStore{}, nil, fmt.Errorf("bucket %q, key %q: %w", bucket, key, ErrNotThere)
}

// readAll has the keeper judge every record.
func (q *Quarantine) readAll(ctx context.Context) error {
	for _, s := range stores {
		err := each(ctx, q.Bus.JetStream(), s, func(key string, m jetstream.Msg, revision uint64) error {
			_, _ = q.Keeper.Open(s.Name, key, m.Data(), revision)
			return nil
		})
		if err != nil {
			return fmt.Errorf("read bucket %s: %w", s.Name, err)
		}
	}
	return nil
}

// List reads every record and returns those that do not verify, and collected files whose
// records cannot be read.
func (q *Quarantine) List(ctx context.Context) ([]Record, error) {
	if err := q.readAll(ctx); err != nil {
		return nil, err
	}
	if err := q.look(ctx); err != nil {
		return nil, err
	}
	all := []Record{}
	for _, f := range q.Keeper.Foreign() {
		_, known := q.Keeper.Last(f.Bucket, f.Key)
		all = append(all, Record{f, held(f.Bucket, f.Key), known})
	}
	if q.Files == nil {
		return all, nil
	}
	_, err := q.Files.List(ctx, artifacts.Filter{})
	var broken *artifacts.Broken
	if !errors.As(err, &broken) {
		return all, err
	}
	for _, b := range broken.Records {
		all = append(all, Record{Foreign: seal.Foreign{Bucket: bus.BucketArtifacts, Key: b.ID, Why: b.Err.Error()}, Held: held(bus.BucketArtifacts, b.ID)})
	}
	return all, nil
}

// dropFile removes a collected file whose record cannot be read.
func (q *Quarantine) dropFile(ctx context.Context, id string) error {
	err := q.Files.Remove(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrNotThere, err)
	}
	return err
}

// Drop removes a foreign record: what it held starts from an empty record.
func (q *Quarantine) Drop(ctx context.Context, bucket, key string) error {
	if bucket == bus.BucketArtifacts && q.Files != nil {
		return q.dropFile(ctx, key)
	}
	m, err := q.foreign(ctx, bucket, key)
	if err != nil {
		return err
	}
	_, stream, err := q.open(ctx, bucket, key)
	if err != nil {
		return err
	}
	if err := q.remove(ctx, stream, m); err != nil {
		return fmt.Errorf("drop %s of bucket %s: %w", key, bucket, err)
	}
	q.Keeper.Forget(bucket, key)
	if q.Dropped != nil {
		q.Dropped(ctx, bucket, key)
	}
	return nil
}

// droppedFor is how long the key of a dropped record is taken: a job may be recorded under
// it again afterwards, as one that was lost.
const droppedFor = time.Second

// remove takes a record away, unless it was replaced meanwhile. Of a bucket it is done by
// a marker, as buckets refuse deletions, and purges by the service are refused by the
// shipped accounts.
func (q *Quarantine) remove(ctx context.Context, stream jetstream.Stream, m *jetstream.RawStreamMsg) error {
	if !stream.CachedInfo().Config.DenyDelete {
		return stream.DeleteMsg(ctx, m.Sequence)
	}
	marker := nats.NewMsg(m.Subject)
	marker.Header.Set("KV-Operation", "PURGE")
	marker.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	marker.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(m.Sequence, 10))
	if stream.CachedInfo().Config.AllowMsgTTL {
		marker.Header.Set(jetstream.MsgTTLHeader, droppedFor.String())
	}
	_, err := q.Bus.JetStream().PublishMsg(ctx, marker)
	return err
}

// restoredFor is how long a restored record of a rule lasts: how long it had left is lost
// with the record that took its place.
const restoredFor = 24 * time.Hour

// Restore puts the latest good record of the key that this replica has seen over a
// foreign one. With asIs it seals the foreign record as it is: a person vouches for it.
func (q *Quarantine) Restore(ctx context.Context, bucket, key string, asIs bool) error {
	entry, err := q.foreign(ctx, bucket, key)
	if err != nil {
		return err
	}
	record, ok := q.Keeper.Last(bucket, key)
	if asIs {
		content := seal.Content(entry.Data)
		if err := wellFormed(bucket, key, content); err != nil {
			return fmt.Errorf("%s of bucket %s cannot be kept as it is: %w: %w", key, bucket, ErrNoRecord, err)
		}
		record, ok = q.Keeper.Seal(bucket, key, content), true
	}
	if !ok {
		return fmt.Errorf("%s of bucket %s: %w by this replica: drop it, or keep it as it is (--as-is)", key, bucket, ErrNoCopy)
	}
	m := nats.NewMsg(entry.Subject)
	m.Data = record
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(entry.Sequence, 10))
	if strings.HasPrefix(key, "rules.") { // it would stay for ever
		m.Header.Set(jetstream.MsgTTLHeader, restoredFor.String())
	}
	if _, err := q.Bus.JetStream().PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("restore %s of bucket %s: %w", key, bucket, err)
	}
	_, err = q.read(ctx, bucket, key)
	return err
}

// foreign reads a record that is in quarantine, and no other.
func (q *Quarantine) foreign(ctx context.Context, bucket, key string) (*jetstream.RawStreamMsg, error) {
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

// each visits the sealed records of a store at this moment.
func each(ctx context.Context, js jetstream.JetStream, s bus.SealedStore, visit func(key string, m jetstream.Msg, revision uint64) error) error {
	return bus.Each(ctx, js, s.Stream, func(m jetstream.Msg, meta *jetstream.MsgMetadata) error {
		key := strings.TrimPrefix(m.Subject(), s.Prefix)
		if kind, ok := KindOf(s.Name, key); ok && kind.Bare {
			return nil
		}
		return visit(key, m, meta.Sequence.Stream)
	})
}

package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/bus/grouped"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/seal"
)

// Store is a job.Store in two JetStream buckets. A record is created only where its key
// has never been used, changed only at its revision, and carries a checksum.
//
// When a job is archived its key in the live bucket keeps a marker for a while.
// Create first asks the finished ones and then for a key without history, so a
// re-delivered event cannot slip in between the two however late it comes.
type Store struct {
	js       jetstream.JetStream
	live     jetstream.KeyValue
	finished jetstream.KeyValue
	stream   jetstream.Stream // of the live ones
	writer   *grouped.Writer  // to it
	seal     *seal.Keeper
	old      bool // there are records of the old form
}

// markerTTL is how long the key of an archived job stays taken in the live
// bucket: longer than any request that was under way can take.
const markerTTL = 10 * time.Minute

// Open opens a Store on existing buckets and turns on what it needs of the live
// one's stream: batches that are written whole or not at all, and markers that
// expire. It takes a NATS server of version 2.12 or later.
//
// Records are sealed by the keeper; nil seals without a secret.
func Open(ctx context.Context, js jetstream.JetStream, live, finished string, keeper *seal.Keeper) (*Store, error) {
	k := &Store{js: js, seal: keeper, writer: grouped.New(js)}
	var err error
	if k.live, err = js.KeyValue(ctx, live); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", live, err)
	}
	if k.finished, err = js.KeyValue(ctx, finished); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", finished, err)
	}
	if k.stream, err = js.Stream(ctx, "KV_"+live); err != nil {
		return nil, fmt.Errorf("stream of bucket %s: %w", live, err)
	}
	if err := k.findOld(ctx, time.Now()); err != nil {
		return nil, err
	}
	cfg := k.stream.CachedInfo().Config
	if cfg.AllowAtomicPublish && cfg.AllowMsgTTL && cfg.SubjectDeleteMarkerTTL > 0 {
		return k, nil
	}
	cfg.AllowAtomicPublish, cfg.AllowMsgTTL = true, true
	if cfg.SubjectDeleteMarkerTTL == 0 {
		cfg.SubjectDeleteMarkerTTL = markerTTL
	}
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		return nil, fmt.Errorf("stream of bucket %s: atomic batches and expiring markers: %w", live, err)
	}
	return k, nil
}

// Get implements Store. The live bucket is read first: a job leaves it only after it is
// in the finished one.
func (k *Store) Get(ctx context.Context, id string) (*job.Job, error) {
	for _, bucket := range []jetstream.KeyValue{k.live, k.finished} {
		entry, err := bucket.Get(ctx, id)
		switch {
		case err == nil:
			return k.decode(entry.Bucket(), entry.Key(), entry.Value(), entry.Revision())
		case errors.Is(err, jetstream.ErrInvalidKey):
			return nil, fmt.Errorf("job %q: %w", id, job.ErrNoJob)
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return nil, fmt.Errorf("job %s: %w", id, err)
		}
	}
	return nil, fmt.Errorf("job %s: %w", id, job.ErrNoJob)
}

// Update implements Store.
func (k *Store) Update(ctx context.Context, j *job.Job) error {
	data, err := k.encode(k.live.Bucket(), j)
	if err != nil {
		return err
	}
	revision, err := k.writer.Write(ctx, k.message(j.ID, data, j.Revision))
	if conflict.Is(err) {
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, job.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("write job %s: %w", j.ID, err)
	}
	j.Revision = revision
	return nil
}

// message puts a record over the one of a revision of the key; 0: where there never
// was one.
func (k *Store) message(id string, data []byte, revision uint64) *nats.Msg {
	m := nats.NewMsg("$KV." + k.live.Bucket() + "." + id)
	m.Data = data
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	return m
}

// Archive implements Store. Between its two writes the job is in both buckets;
// after a crash there it is archived again.
func (k *Store) Archive(ctx context.Context, j *job.Job) error {
	data, err := k.encode(k.finished.Bucket(), j)
	if err != nil {
		return err
	}
	archived, err := k.finished.Put(ctx, j.ID, data)
	if err != nil {
		return fmt.Errorf("archive job %s: %w", j.ID, err)
	}
	k.seal.Wrote(k.finished.Bucket(), j.ID, data, archived)
	err = k.live.Purge(ctx, j.ID, jetstream.LastRevision(j.Revision), jetstream.PurgeTTL(markerTTL))
	switch {
	case err == nil:
		return nil
	case conflict.Is(err):
		if _, gone := k.live.Get(ctx, j.ID); errors.Is(gone, jetstream.ErrKeyNotFound) {
			return nil // another replica was quicker
		}
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, job.ErrConflict)
	}
	return fmt.Errorf("archive job %s: %w", j.ID, err)
}

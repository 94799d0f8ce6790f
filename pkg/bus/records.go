package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"edrpipe/internal/conflict"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/pace"
	"edrpipe/pkg/bus/grouped"
	"edrpipe/pkg/seal"
	"edrpipe/pkg/shares"
)

// Records are small records in a bucket that all replicas share and that expire
// one by one: what correlation and suppression remember. They outlive restarts
// and are as durable as the bucket.
//
// Shares bound their number: a new record for which its owner has no room is not kept,
// and Update returns a *shares.Full; records that exist go on. Each record's owner is a
// header of it, so all replicas count the same records, also after a restart.
type Records struct {
	Bus    *Bus
	Bucket string
	Shares *shares.Ledger // kept current by Follow, without which no new record is made; nil: no bound

	mu     sync.Mutex
	kv     jetstream.KeyValue // guarded by mu; opened at first use
	stream jetstream.Stream   // opened with kv
	writer *grouped.Writer    // made with kv
	known  map[string]bool    // guarded by mu; keys that were there lately
	synced chan struct{}      // guarded by mu; closed while Shares has every record
}

const maxKnown = 10_000

// Update replaces the record of a key by what change makes of it, atomically
// among all replicas, and keeps it for at least ttl. change gets nil where there
// is none and returns nil to remove it. It is called again when another replica
// was faster.
func (r *Records) Update(ctx context.Context, of shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	kv, err := r.open(ctx)
	if err != nil {
		return err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := r.try(ctx, kv, of, ttl, change)
		if !conflict.Is(err) {
			return err
		}
		if err := pace.Sleep(ctx, wait/2+rand.N(wait)); err != nil {
			return fmt.Errorf("record %s: %w", of.Key, err)
		}
	}
}

// try is one attempt. The error is a conflict where another was faster. Most keys
// are new: one that was not met lately is first written as if it were not there.
func (r *Records) try(ctx context.Context, kv jetstream.KeyValue, of shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	if r.meet(of.Key) {
		if data, err := change(nil); err == nil && data != nil {
			err := r.create(ctx, of, data, ttl, 0)
			var full *shares.Full
			if !conflict.Is(err) && !errors.As(err, &full) {
				return err
			}
		}
	}
	entry, err := kv.Get(ctx, of.Key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return r.createAfter(ctx, of, ttl, change)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", of.Key, err)
	}
	data, err := change(entry.Value())
	if errors.Is(err, seal.ErrForeign) { // its seal verifies, and its content cannot be read
		return r.Bus.seal.Refuse(r.Bucket, of.Key, entry.Revision(), err)
	}
	if err != nil {
		return err
	}
	if data != nil {
		return r.write(ctx, of, data, ttl, entry.Revision())
	}
	if err := kv.Delete(ctx, of.Key, jetstream.LastRevision(entry.Revision())); err != nil {
		return fmt.Errorf("record %s: %w", of.Key, err)
	}
	return nil
}

// meet records a key and reports whether it is not among the recent ones.
func (r *Records) meet(key string) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = !r.known[key]
	if r.known == nil || len(r.known) >= maxKnown {
		r.known = map[string]bool{}
	}
	r.known[key] = true
	return first
}

// createAfter makes the record of a key that has none, after the marker of one that has
// ended.
func (r *Records) createAfter(ctx context.Context, of shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	data, err := change(nil)
	if err != nil || data == nil {
		return err
	}
	if err := r.reserve(ctx, of, ttl); err != nil {
		return err
	}
	revision, err := r.marker(ctx, of.Key)
	if err != nil {
		r.release(of)
		return fmt.Errorf("record %s: %w", of.Key, err)
	}
	return r.create(ctx, of, data, ttl, revision)
}

// marker is the revision of the marker that a record which has ended left behind; 0: none.
func (r *Records) marker(ctx context.Context, key string) (uint64, error) {
	last, err := r.stream.GetLastMsgForSubject(ctx, r.subject(key))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, nil
	case err != nil:
		return 0, err
	case !IsMarker(last.Header): // made since it was read
		return 0, jetstream.ErrKeyExists
	}
	return last.Sequence, nil
}

// create writes a record that is new, where its owner has room.
func (r *Records) create(ctx context.Context, of shares.Record, data []byte, ttl time.Duration, revision uint64) error {
	if err := r.reserve(ctx, of, ttl); err != nil {
		return err
	}
	err := r.write(ctx, of, data, ttl, revision)
	if err != nil {
		r.release(of) // if it was written all the same, Follow sees it
	}
	return err
}

// write writes a record of a known revision; 0 is that of one that never was. The
// bucket's own Update would lose the time after which the record expires. The owner stays
// who it was.
func (r *Records) write(ctx context.Context, of shares.Record, data []byte, ttl time.Duration, revision uint64) error {
	m := nats.NewMsg(r.subject(of.Key))
	m.Data = r.Bus.seal.Seal(r.Bucket, of.Key, data)
	m.Header.Set(jetstream.MsgTTLHeader, lifetime(ttl).String())
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	if r.Shares != nil {
		if owner, together, known := r.Shares.Owner(of.Key); known {
			of.Owner, of.Together = owner, together
		}
		setOwner(m.Header, of)
	}
	written, err := r.writer.Write(ctx, m)
	if err != nil {
		return fmt.Errorf("record %s: %w", of.Key, err)
	}
	r.Bus.seal.Wrote(r.Bucket, of.Key, m.Data, written)
	return nil
}

func (r *Records) release(of shares.Record) {
	if r.Shares != nil {
		r.Shares.Release(of.Key)
	}
}

func (r *Records) subject(key string) string { return "$KV." + r.Bucket + "." + key }

// lifetime is the ttl in whole seconds, which is what the bus counts in.
func lifetime(ttl time.Duration) time.Duration {
	return max(ttl+time.Second-1, time.Second).Truncate(time.Second)
}

func (r *Records) open(ctx context.Context) (jetstream.KeyValue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kv == nil {
		kv, err := r.Bus.Bucket(ctx, r.Bucket)
		if err != nil {
			return nil, err
		}
		stream, err := r.Bus.js.Stream(ctx, "KV_"+r.Bucket)
		if err != nil {
			return nil, err
		}
		r.kv, r.stream, r.writer = kv, stream, grouped.New(r.Bus.js)
	}
	return r.kv, nil
}

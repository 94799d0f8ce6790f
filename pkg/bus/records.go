package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/pace"
	"edrpipe/pkg/bus/grouped"
)

// Records are small records in a bucket that all replicas share and that expire
// one by one: what correlation and suppression remember. They outlive restarts
// and are as durable as the bucket.
//
// Their number is bounded: beyond Max a record that is not there yet is not
// kept, which Dropped counts. A correlation's new group does not count then, and
// a new suppression is not remembered; records that exist go on.
type Records struct {
	Bus    *Bus
	Bucket string
	Max    uint64 // in the bucket; 0: 500,000

	mu      sync.Mutex
	kv      jetstream.KeyValue // guarded by mu; opened at first use
	writer  *grouped.Writer    // made with kv
	values  uint64             // guarded by mu
	warned  time.Time          // guarded by mu
	counted time.Time          // guarded by mu; when values was asked for
	known   map[string]bool    // guarded by mu; keys that were there lately
	dropped atomic.Uint64
}

const (
	defaultMaxRecords = 500_000
	maxKnown          = 10_000
	countEvery        = 5 * time.Second
	warnEvery         = time.Minute
)

// Dropped is how many records were not kept because of Max.
func (r *Records) Dropped() uint64 { return r.dropped.Load() }

// Update replaces the record of a key by what change makes of it, atomically
// among all replicas, and keeps it for at least ttl. change gets nil where there
// is none and returns nil to remove it. It is called again when another replica
// was faster.
func (r *Records) Update(ctx context.Context, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	kv, err := r.open(ctx)
	if err != nil {
		return err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := r.try(ctx, kv, key, ttl, change)
		if !IsConflict(err) {
			return err
		}
		if err := pace.Sleep(ctx, wait/2+rand.N(wait)); err != nil {
			return fmt.Errorf("record %s: %w", key, err)
		}
	}
}

// try is one attempt. The error is a conflict where another was faster. Most keys
// are new: one that was not met lately is first written as if it were not there.
func (r *Records) try(ctx context.Context, kv jetstream.KeyValue, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	if r.meet(key) {
		if data, err := change(nil); err == nil && data != nil && !r.full(ctx, kv) {
			if err := r.replace(ctx, key, data, ttl, 0); !IsConflict(err) {
				return err
			}
		}
	}
	entry, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return r.create(ctx, kv, key, ttl, change)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	data, err := change(entry.Value())
	if err != nil {
		return err
	}
	if data != nil {
		return r.replace(ctx, key, data, ttl, entry.Revision())
	}
	if err := kv.Delete(ctx, key, jetstream.LastRevision(entry.Revision())); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
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

func (r *Records) create(ctx context.Context, kv jetstream.KeyValue, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	data, err := change(nil)
	if err != nil || data == nil {
		return err
	}
	if r.full(ctx, kv) {
		r.dropped.Add(1)
		return nil
	}
	if _, err := kv.Create(ctx, key, data, jetstream.KeyTTL(lifetime(ttl))); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return nil
}

// replace writes a record of a known revision; 0 is that of one that never was.
// The bucket's own Update would lose the time after which the record expires.
func (r *Records) replace(ctx context.Context, key string, data []byte, ttl time.Duration, revision uint64) error {
	m := nats.NewMsg("$KV." + r.Bucket + "." + key)
	m.Data = r.Bus.seal.Seal(r.Bucket, key, data)
	m.Header.Set(jetstream.MsgTTLHeader, lifetime(ttl).String())
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	if _, err := r.writer.Write(ctx, m); err != nil {
		return fmt.Errorf("record %s: %w", key, err)
	}
	return nil
}

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
		r.kv, r.writer = kv, grouped.New(r.Bus.js)
	}
	return r.kv, nil
}

// full reports whether the bucket has as many records as it may; it asks now and
// then, so some more may come in between.
func (r *Records) full(ctx context.Context, kv jetstream.KeyValue) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.counted) >= countEvery {
		if status, err := kv.Status(ctx); err == nil { // else the last count is used
			r.values, r.counted = status.Values(), time.Now()
		}
	}
	limit := r.Max
	if limit == 0 {
		limit = defaultMaxRecords
	}
	if r.values < limit {
		return false
	}
	if time.Since(r.warned) >= warnEvery {
		r.warned = time.Now()
		r.Bus.log.Warn().Str("bucket", r.Bucket).Uint64("records", r.values).Uint64("dropped", r.dropped.Load()).
			Msg("no room for new records: new correlations do not count, new suppressions are not remembered")
	}
	return true
}

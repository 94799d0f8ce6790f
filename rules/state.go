package rules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"sync"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/shares"
)

// State keeps what correlation and suppression remember: small records by key,
// shared by all replicas and kept over restarts where the implementation says
// so. Keys are made of a-z, 0-9, "." and "-".
type State interface {
	// Update replaces a record by what change makes of it, atomically
	// among all replicas. change gets nil where there is no record; what it
	// returns is kept for at least ttl from now, nil removes the record. It may
	// be called several times, so it must depend on nothing but its argument. An
	// error of change is returned and leaves the record as it was. The error is a
	// *shares.Full where the record would be new and its owner has no room for it.
	Update(ctx context.Context, r shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error
}

// StateKey is a key of State for parts that may be anything.
func StateKey(use string, parts ...any) string { return stateKey(use, parts...) }

func stateKey(use string, parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		text := fmt.Sprintf("%T:%v", p, p)
		if reflect.ValueOf(p).Kind() == reflect.Slice { // ["x y"] is not ["x", "y"]
			text = fmt.Sprintf("%#v", p)
		}
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return "rules." + use + "." + hex.EncodeToString(h.Sum(nil)[:16])
}

// together is a part of the key of the record in which the keys of a rule and an endpoint
// count together that have no room of their own. No value of an event has its type.
type together string

// ownerOf is on whose account an event's records of a rule are kept.
func ownerOf(use, rule string, e *events.Event) shares.Owner {
	id := e.Sensor.ID
	if id == "" {
		id = e.Sensor.Hostname
	}
	return shares.Of(use, rule, e.Sensor.Server, id)
}

// crowd is the record in which the keys of an owner count together.
func crowd(use string, o shares.Owner, place ...any) shares.Record {
	return shares.Record{Key: stateKey(use, append([]any{o.Rule, together(o.Endpoint)}, place...)...), Owner: o, Together: true}
}

// MemoryState is a State of one process, forgotten when it ends: for tests,
// backtests and pipelines that run alone. It is safe for concurrent use.
type MemoryState struct {
	Now     func() time.Time // nil: time.Now
	MaxKeys int              // 0: 100,000; beyond it the record to expire first is dropped, see Evicted
	Shares  *shares.Ledger   // bounds the records of each owner; nil: MaxKeys is the only bound

	mu      sync.Mutex
	records map[string]memoryRecord
	evicted uint64
}

type memoryRecord struct {
	data    []byte
	expires time.Time
}

const defaultMaxKeys = 100_000

// Update is State's.
func (m *MemoryState) Update(_ context.Context, r shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, key := m.now(), r.Key
	old := m.records[key]
	if old.data != nil && !now.Before(old.expires) {
		old.data = nil
	}
	data, err := change(old.data)
	if err != nil {
		return err
	}
	if data == nil {
		m.drop(key)
		return nil
	}
	if m.records == nil {
		m.records = map[string]memoryRecord{}
	}
	if old.data == nil {
		if err := m.makeRoom(r, now, ttl); err != nil {
			return err
		}
	}
	m.records[key] = memoryRecord{data, now.Add(ttl)}
	if m.Shares != nil {
		if owner, isTogether, known := m.Shares.Owner(key); known {
			r.Owner, r.Together = owner, isTogether
		}
		m.Shares.See(r, now.Add(ttl))
	}
	return nil
}

// makeRoom asks the shares for a new record's room. It drops what has expired when the
// bound is reached, and if nothing has, the record that would expire first.
func (m *MemoryState) makeRoom(r shares.Record, now time.Time, ttl time.Duration) error {
	if m.Shares != nil {
		m.drop(r.Key)
		if err := m.Shares.Reserve(r, now.Add(ttl)); err != nil {
			return err
		}
	}
	bound := m.MaxKeys
	if bound <= 0 {
		bound = defaultMaxKeys
	}
	if _, exists := m.records[r.Key]; exists || len(m.records) < bound {
		return nil
	}
	var first string
	for key, r := range m.records {
		if !now.Before(r.expires) {
			m.drop(key)
		} else if first == "" || r.expires.Before(m.records[first].expires) {
			first = key
		}
	}
	if len(m.records) >= bound {
		m.drop(first)
		m.evicted++
	}
	return nil
}

func (m *MemoryState) drop(key string) {
	delete(m.records, key)
	if m.Shares != nil {
		m.Shares.Gone(key)
	}
}

// Len is how many records are kept, expired ones included.
func (m *MemoryState) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.records)
}

// Evicted is how many records were dropped before their time because of
// MaxKeys: each is a window that starts anew or a suppression that ends early.
func (m *MemoryState) Evicted() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.evicted
}

func (m *MemoryState) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

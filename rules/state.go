package rules

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// State keeps what correlation and suppression remember: small records by key,
// shared by all replicas and kept over restarts where the implementation says
// so. Keys are made of a-z, 0-9, "." and "-".
type State interface {
	// Update replaces the record of a key by what change makes of it, atomically
	// among all replicas. change gets nil where there is no record; what it
	// returns is kept for at least ttl from now, nil removes the record. It may
	// be called several times, so it must depend on nothing but its argument. An
	// error of change is returned and leaves the record as it was.
	Update(ctx context.Context, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error
}

// stateKey is a key of State for parts that may be anything.
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

// MemoryState is a State of one process, forgotten when it ends: for tests,
// backtests and pipelines that run alone. It is safe for concurrent use.
type MemoryState struct {
	Now     func() time.Time // nil: time.Now
	MaxKeys int              // 0: 100,000; beyond it the record to expire first is dropped, see Evicted

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
func (m *MemoryState) Update(_ context.Context, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	old := m.records[key]
	if old.data != nil && !now.Before(old.expires) {
		old.data = nil
	}
	data, err := change(old.data)
	if err != nil {
		return err
	}
	if data == nil {
		delete(m.records, key)
		return nil
	}
	if m.records == nil {
		m.records = map[string]memoryRecord{}
	}
	if _, exists := m.records[key]; !exists {
		m.makeRoom(now)
	}
	m.records[key] = memoryRecord{data, now.Add(ttl)}
	return nil
}

// makeRoom drops what has expired when the bound is reached, and if nothing
// has, the record that would expire first.
func (m *MemoryState) makeRoom(now time.Time) {
	bound := m.MaxKeys
	if bound <= 0 {
		bound = defaultMaxKeys
	}
	if len(m.records) < bound {
		return
	}
	var first string
	for key, r := range m.records {
		if !now.Before(r.expires) {
			delete(m.records, key)
		} else if first == "" || r.expires.Before(m.records[first].expires) {
			first = key
		}
	}
	if len(m.records) >= bound {
		delete(m.records, first)
		m.evicted++
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

package job

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"edrpipe/internal/looseid"
	"edrpipe/pkg/edr"
)

// Table is the slot table of an EDR server: who works on which sensor. It is one
// record, changed by compare-and-set, so the limit holds over all replicas.
type Table struct {
	Format int                    `json:"-"`     // of the record as it was read; see Encode
	Epoch  uint64                 `json:"epoch"` // of the latest claim; only grows
	Beats  map[string]uint64      `json:"beats"` // heartbeat of each owner with claims
	Claims map[edr.Endpoint]Claim `json:"claims"`
}

// Claim is an owner's right to work on a sensor.
type Claim struct {
	Owner   string     `json:"owner"`
	Epoch   uint64     `json:"epoch"`             // fencing token
	Slot    bool       `json:"slot,omitempty"`    // it counts against the server's sessions
	Session looseid.ID `json:"session,omitempty"` // the Live Response session, once opened
	// Opening is set before a session is asked for, to one more than the highest
	// session id seen: what appears on the sensor from there on is the claim's.
	Opening int64  `json:"opening,omitempty"`
	Job     string `json:"job,omitempty"`
	Group   string `json:"group,omitempty"` // concurrency group of that job
}

// Slots counts the claims that hold a slot.
func (t Table) Slots() int {
	n := 0
	for _, c := range t.Claims {
		if c.Slot {
			n++
		}
	}
	return n
}

// A TableStore keeps one Table. Replicas share it.
type TableStore interface {
	// Load returns the table and its revision; an empty one and 0 where there is none.
	Load(ctx context.Context) (Table, uint64, error)
	// Save replaces the table of that revision and returns the new one, or ErrConflict.
	Save(ctx context.Context, t Table, revision uint64) (uint64, error)
}

// MemoryTable is a TableStore for schedulers of one process. The zero value is ready.
type MemoryTable struct {
	mu       sync.Mutex
	table    Table
	revision uint64
}

// Load implements TableStore.
func (m *MemoryTable) Load(context.Context) (Table, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table.Clone(), m.revision, nil
}

// Save implements TableStore.
func (m *MemoryTable) Save(_ context.Context, t Table, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if revision != m.revision {
		return 0, fmt.Errorf("slot table at revision %d: %w", revision, ErrConflict)
	}
	m.revision++
	m.table = t.Clone()
	return m.revision, nil
}

// Clone returns a deep copy whose maps are not nil.
func (t Table) Clone() Table {
	t.Beats, t.Claims = maps.Clone(t.Beats), maps.Clone(t.Claims)
	if t.Beats == nil {
		t.Beats = map[string]uint64{}
	}
	if t.Claims == nil {
		t.Claims = map[edr.Endpoint]Claim{}
	}
	return t
}

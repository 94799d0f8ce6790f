package job

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"
)

// Memory is a Store that lives and dies with its process: for tests and for jobs
// that are functions. The zero value is ready.
type Memory struct {
	mu       sync.Mutex
	revision uint64
	live     map[string]entryInMemory
	finished map[string]entryInMemory
	watchers map[*memoryWatcher]struct{}
}

// entryInMemory holds a record as bytes, so that no caller shares a Job with the store.
type entryInMemory struct {
	data     []byte
	revision uint64
	archived time.Time // zero while the job is live
}

type memoryWatcher struct {
	pending []Change
	wake    chan struct{}
}

// Create implements Store.
func (m *Memory) Create(_ context.Context, js []*Job) ([]bool, error) {
	data := make([][]byte, len(js))
	for i, j := range js {
		var err error
		if data[i], err = Encode(j); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	created := make([]bool, len(js))
	for i, j := range js {
		_, live := m.live[j.ID]
		_, finished := m.finished[j.ID]
		if created[i] = !live && !finished; created[i] {
			m.put(j, data[i])
		}
	}
	return created, nil
}

// put stores a live record and tells the watchers; m.mu is held.
func (m *Memory) put(j *Job, data []byte) {
	if m.live == nil {
		m.live = map[string]entryInMemory{}
	}
	m.revision++
	j.Revision = m.revision
	e := entryInMemory{data: data, revision: m.revision}
	m.live[j.ID] = e
	if len(m.watchers) > 0 {
		m.tell(Change{ID: j.ID, Job: e.job(), Revision: m.revision})
	}
}

func (e entryInMemory) job() *Job {
	j := new(Job)
	if err := json.Unmarshal(e.data, j); err != nil {
		panic(fmt.Sprintf("job: own record cannot be read: %v", err))
	}
	j.Revision = e.revision
	return j
}

// tell gives a change to every watcher; m.mu is held.
func (m *Memory) tell(c Change) {
	for w := range m.watchers {
		w.pending = append(w.pending, c)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, id string) (*Job, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.finished[id]; ok {
		return e.job(), nil
	}
	if e, ok := m.live[id]; ok {
		return e.job(), nil
	}
	return nil, fmt.Errorf("job %s: %w", id, ErrNoJob)
}

// Update implements Store.
func (m *Memory) Update(_ context.Context, j *Job) error {
	data, err := Encode(j)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.live[j.ID]; !ok || e.revision != j.Revision {
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, ErrConflict)
	}
	m.put(j, data)
	return nil
}

// Archive implements Store.
func (m *Memory) Archive(_ context.Context, j *Job) error {
	data, err := Encode(j)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, done := m.finished[j.ID]; done {
		return nil
	}
	if e, ok := m.live[j.ID]; !ok || e.revision != j.Revision {
		return fmt.Errorf("job %s at revision %d: %w", j.ID, j.Revision, ErrConflict)
	}
	if m.finished == nil {
		m.finished = map[string]entryInMemory{}
	}
	m.revision++
	j.Revision = m.revision
	m.finished[j.ID] = entryInMemory{data, m.revision, time.Now()}
	delete(m.live, j.ID)
	m.tell(Change{ID: j.ID, Revision: m.revision})
	return nil
}

// Watch implements Store.
func (m *Memory) Watch(ctx context.Context, see func(Change)) error {
	w := &memoryWatcher{wake: make(chan struct{}, 1)}
	m.mu.Lock()
	for id, e := range m.live {
		w.pending = append(w.pending, Change{ID: id, Job: e.job(), Revision: e.revision})
	}
	sort.Slice(w.pending, func(i, j int) bool { return w.pending[i].Revision < w.pending[j].Revision })
	w.pending = append(w.pending, Change{Synced: true, Revision: m.revision})
	if m.watchers == nil {
		m.watchers = map[*memoryWatcher]struct{}{}
	}
	m.watchers[w] = struct{}{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, w)
		m.mu.Unlock()
	}()
	for {
		m.mu.Lock()
		changes := w.pending
		w.pending = nil
		m.mu.Unlock()
		for _, c := range changes {
			see(c)
		}
		if len(changes) > 0 {
			continue
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Barrier implements Store.
func (m *Memory) Barrier(context.Context, func() uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revision, nil
}

// memoryPart is how many jobs a part of a reading has.
const memoryPart = 64

// Finished implements Store.
func (m *Memory) Finished(_ context.Context, since time.Time, see func(*Job), enough func(time.Time) bool) error {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.finished))
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b entryInMemory) int { return cmp.Compare(b.revision, a.revision) })
	for i, e := range all {
		if j := e.job(); !j.Ended.Before(since) {
			see(j)
		}
		if (i+1)%memoryPart == 0 && enough != nil && enough(e.archived) {
			return nil
		}
	}
	return nil
}

// Forget drops a job's record without a change for watchers to see.
func (m *Memory) Forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.finished, id)
	delete(m.live, id)
}

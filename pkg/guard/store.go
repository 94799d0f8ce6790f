package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"edrpipe/pkg/seal"
)

// Store keeps what guards count and what people switched, for all replicas.
type Store interface {
	// Get returns a value and its revision; revision 0 for a missing key.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value provided that the key is at revision; else ErrConflict.
	Put(ctx context.Context, key string, value []byte, revision uint64) error
}

// ErrConflict is a write after another replica's write.
var ErrConflict = errors.New("the record was changed by somebody else")

// Memory is a Store of one process, and of tests.
type Memory struct {
	mu   sync.Mutex
	kept map[string]record
}

type record struct {
	value    []byte
	revision uint64
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.kept[key]
	return bytes.Clone(r.value), r.revision, nil
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, key string, value []byte, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept[key].revision != revision {
		return ErrConflict
	}
	if m.kept == nil {
		m.kept = map[string]record{}
	}
	m.kept[key] = record{bytes.Clone(value), revision + 1}
	return nil
}

// refuser is a Store that notes records whose content cannot be read.
type refuser interface {
	Refuse(key string, revision uint64, err error) error
}

// read decodes a record strictly; one that is not there is the zero value. The error of
// one that does not verify, or cannot be read, is seal.ErrForeign.
func read[T any](ctx context.Context, s Store, key string) (v T, revision uint64, err error) {
	text, revision, err := s.Get(ctx, key)
	if err != nil {
		return v, 0, fmt.Errorf("guard state %s: %w", key, err)
	}
	if len(text) > 0 {
		if err := seal.Strict(text, &v); err != nil {
			if r, ok := s.(refuser); ok {
				err = r.Refuse(key, revision, err)
			} else {
				err = fmt.Errorf("%w: %w", seal.ErrForeign, err)
			}
			return *new(T), 0, fmt.Errorf("guard state %s: %w", key, err)
		}
	}
	return v, revision, nil
}

// update changes a record by compare-and-set until it holds. change may be
// called many times, each time with what is stored, and says whether to write.
func update[T any](ctx context.Context, s Store, key string, change func(*T) bool) error {
	return replace(ctx, s, key, func(v *T, _ uint64) bool { return change(v) })
}

// replace is update with the revision of what is stored; 0: nothing is.
func replace[T any](ctx context.Context, s Store, key string, change func(*T, uint64) bool) error {
	const attempts = 100
	for attempt := range attempts {
		v, revision, err := read[T](ctx, s, key)
		if err != nil {
			return err
		}
		if !change(&v, revision) {
			return nil
		}
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("guard state %s: %w", key, err)
		}
		err = s.Put(ctx, key, text, revision)
		if !errors.Is(err, ErrConflict) {
			if err != nil {
				return fmt.Errorf("guard state %s: %w", key, err)
			}
			return nil
		}
		if err := pause(ctx, min(time.Duration(attempt)*time.Millisecond, 50*time.Millisecond)); err != nil {
			return err
		}
	}
	return fmt.Errorf("guard state %s: %w, %d times", key, ErrConflict, attempts)
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

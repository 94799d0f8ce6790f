// Package inflight tracks messages that a source has delivered and that are not settled
// yet. Handlers settle in any order. A source may report to its origin only the
// watermark (a file offset, a multiple acknowledgement) below which all are settled.
package inflight

import (
	"iter"
	"slices"
	"sort"
	"sync"
)

// Window holds deliveries by an increasing key: a stream sequence, a delivery
// tag, a file offset. The floor is the highest key up to which all are settled. The
// zero Window is ready; it is safe for concurrent use.
type Window[T any] struct {
	mu      sync.Mutex
	entries []entry[T] // by key; the first one is unsettled
	open    int        // how many are unsettled
	idle    chan struct{}
}

type entry[T any] struct {
	key   uint64
	value T
	done  bool
}

// Add records a delivery. A known key becomes unsettled again, with the new value: a
// redelivery.
func (w *Window[T]) Add(key uint64, value T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.find(key)
	if i < len(w.entries) && w.entries[i].key == key {
		if w.entries[i].done {
			w.open++
		}
		w.entries[i] = entry[T]{key: key, value: value}
		return
	}
	w.entries = slices.Insert(w.entries, i, entry[T]{key: key, value: value})
	w.open++
}

// Done settles a delivery. moved reports whether the floor rose, to the delivery with
// the given key and value. An unknown key (settled before) has no effect.
func (w *Window[T]) Done(key uint64) (floor uint64, value T, moved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := w.find(key)
	if i == len(w.entries) || w.entries[i].key != key || w.entries[i].done {
		return 0, value, false
	}
	w.entries[i].done = true
	w.open--
	n := 0
	for n < len(w.entries) && w.entries[n].done {
		floor, value, moved = w.entries[n].key, w.entries[n].value, true
		n++
	}
	clear(w.entries[:n]) // let go of the values: the slice keeps its memory
	w.entries = w.entries[n:]
	if w.open == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
	return floor, value, moved
}

// Len is how many deliveries are unsettled.
func (w *Window[T]) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// Idle returns a channel that is closed when all deliveries are settled.
func (w *Window[T]) Idle() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == 0 {
		c := make(chan struct{})
		close(c)
		return c
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	return w.idle
}

// Above goes through a copy of the values above the floor, with whether each is
// settled.
func (w *Window[T]) Above() iter.Seq2[T, bool] {
	w.mu.Lock()
	entries := slices.Clone(w.entries)
	w.mu.Unlock()
	return func(yield func(T, bool) bool) {
		for _, e := range entries {
			if !yield(e.value, e.done) {
				return
			}
		}
	}
}

// find is the place of a key; nearly always the end or the beginning.
func (w *Window[T]) find(key uint64) int {
	if n := len(w.entries); n == 0 || w.entries[n-1].key < key {
		return n
	}
	return sort.Search(len(w.entries), func(i int) bool { return w.entries[i].key >= key })
}

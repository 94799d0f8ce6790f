package seal

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Keeper seals and opens the records of one service, and remembers which do not verify.
// A nil Keeper seals without a secret and remembers nothing. It is safe for concurrent
// use.
type Keeper struct {
	key   Key
	told  func(Foreign)
	blind bool // opens without verifying

	some atomic.Bool // foreign is not empty
	mu   sync.Mutex
	// foreign is bounded: one more than that is told no more, and does not verify either.
	foreign map[place]suspect // guarded by mu
	fresh   map[place][]byte  // guarded by mu; the latest records that verified, as they were
	aged    map[place][]byte  // guarded by mu; those before, until fresh is full again
	size    int               // guarded by mu; bytes in fresh
}

type place struct{ bucket, key string }

type suspect struct {
	Foreign
	sealed bool // the seal verifies, and what is in it cannot be read
}

const (
	maxForeign = 10_000
	maxFresh   = 16 << 20
)

// NewKeeper makes a Keeper; told is told each foreign record once. It may be nil.
func NewKeeper(key Key, told func(Foreign)) *Keeper {
	if told == nil {
		told = func(Foreign) {}
	}
	return &Keeper{key: key, told: told, foreign: map[place]suspect{}, fresh: map[place][]byte{}}
}

// Unverified makes a Keeper that opens every record without verifying it: for what a
// person only looks at. What it seals does not verify elsewhere.
func Unverified() *Keeper {
	k := NewKeeper(Key{}, nil)
	k.blind = true
	return k
}

// Key is the key that records are sealed with.
func (k *Keeper) Key() Key {
	if k == nil {
		return Key{}
	}
	return k.key
}

// Seal returns the sealed record for a place.
func (k *Keeper) Seal(bucket, key string, data []byte) []byte { return k.Key().Seal(bucket, key, data) }

// Open returns the data of a record that verifies. The error is a *Foreign.
func (k *Keeper) Open(bucket, key string, record []byte, revision uint64) ([]byte, error) {
	if k != nil && k.blind {
		return Content(record), nil
	}
	data, why := k.Key().Open(bucket, key, record)
	if why != "" {
		return nil, k.note(suspect{Foreign: Foreign{Bucket: bucket, Key: key, Revision: revision, Why: why}})
	}
	k.verified(place{bucket, key}, record, revision)
	return data, nil
}

// Refuse notes a record whose seal verifies and whose content cannot be read. It returns
// a *Foreign.
func (k *Keeper) Refuse(bucket, key string, revision uint64, err error) error {
	return k.note(suspect{Foreign{Bucket: bucket, Key: key, Revision: revision, Why: "its content cannot be used: " + err.Error()}, true})
}

// note remembers a foreign record, and tells of it once.
func (k *Keeper) note(s suspect) error {
	f := s.Foreign
	if k == nil {
		return &f
	}
	at := place{f.Bucket, f.Key}
	k.mu.Lock()
	known, seen := k.foreign[at]
	isNew := !seen || known.Revision != f.Revision
	if seen || len(k.foreign) < maxForeign {
		k.foreign[at] = s
		k.some.Store(true)
	} else {
		isNew = false
	}
	if s.sealed {
		delete(k.fresh, at)
		delete(k.aged, at)
	}
	k.mu.Unlock()
	if isNew {
		k.told(f)
	}
	return &f
}

// Wrote keeps a record that was written with success at a revision.
func (k *Keeper) Wrote(bucket, key string, record []byte, revision uint64) {
	k.verified(place{bucket, key}, record, revision)
}

// verified keeps a record that was found good, for a person to bring it back.
func (k *Keeper) verified(at place, record []byte, revision uint64) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, seen := k.foreign[at]; seen && (!s.sealed || s.Revision != revision) {
		delete(k.foreign, at)
		k.some.Store(len(k.foreign) > 0)
	}
	k.size += len(record) - len(k.fresh[at])
	k.fresh[at] = record
	if k.size > maxFresh {
		k.aged, k.fresh, k.size = k.fresh, map[place][]byte{}, 0
	}
}

// Forget ends the memory of a place whose record is gone.
func (k *Keeper) Forget(bucket, key string) {
	if k == nil || !k.some.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.foreign, place{bucket, key})
	k.some.Store(len(k.foreign) > 0)
}

// Foreign lists the records that were found not to verify.
func (k *Keeper) Foreign() []Foreign {
	if k == nil || !k.some.Load() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	all := make([]Foreign, 0, len(k.foreign))
	for _, s := range k.foreign {
		all = append(all, s.Foreign)
	}
	slices.SortFunc(all, func(a, b Foreign) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// Last is the latest record of a place that this process saw verify, with its seal.
func (k *Keeper) Last(bucket, key string) (record []byte, ok bool) {
	if k == nil {
		return nil, false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	at := place{bucket, key}
	if record, ok = k.fresh[at]; !ok {
		record, ok = k.aged[at]
	}
	return record, ok
}

package index

import (
	"math/bits"
	"slices"
)

// postings finds slots by the hash of a value. Hash collisions are included: the caller
// checks. It is two arrays, so that a value without a slot, as nearly all are, costs one
// memory access.
type postings struct {
	entries []posting // in the order of their buckets
	shift   uint32
	starts  []int32 // of the entries of a bucket; one more than there are
}

type posting struct {
	hash uint32
	slot int32
}

func (p *postings) add(hash uint32, slot int32) {
	p.entries = append(p.entries, posting{hash, slot})
}

// seal makes the buckets; add must not be called afterwards.
func (p *postings) seal() {
	width := bits.Len(uint(len(p.entries))) + 2 // a bucket in four to eight has an entry
	p.shift = uint32(32 - width)
	p.entries, p.starts = inBuckets(p.entries, 1<<width, func(e posting) uint32 { return e.hash >> p.shift })
}

// inBuckets orders entries by bucket and returns the start of each bucket, and the end
// of the last.
func inBuckets[T any](entries []T, buckets int, bucket func(T) uint32) (ordered []T, starts []int32) {
	starts = make([]int32, buckets+1)
	for _, e := range entries {
		starts[bucket(e)+1]++
	}
	for b := range buckets {
		starts[b+1] += starts[b]
	}
	ordered = make([]T, len(entries))
	next := slices.Clone(starts)
	for _, e := range entries {
		b := bucket(e)
		ordered[next[b]] = e
		next[b]++
	}
	return ordered, starts
}

func (p *postings) find(hash uint32, found func(slot int32)) {
	b := hash >> p.shift
	for _, e := range p.entries[p.starts[b]:p.starts[b+1]] {
		if e.hash == hash {
			found(e.slot)
		}
	}
}

func hashOfNumber(n int64) uint32 { return uint32(uint64(n) * 0x9E3779B97F4A7C15 >> 32) }

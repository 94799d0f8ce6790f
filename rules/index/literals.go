package index

import (
	"encoding/binary"
	"math/bits"
)

// gramSize is the number of bytes by which literals are found in a text.
// Shorter literals have tables of their own.
const gramSize = 4

// literalTable finds which of many literals occur in a text. It looks up each gram of
// the canonical form in a bitmap, which nearly always excludes it, then in the literals
// themselves. Each literal is filed under one rare gram. A table that reads every second
// gram of a text meets an occurrence at its even or its odd offsets: there a literal is
// filed under one gram of either parity.
type literalTable struct {
	size, step int // bytes of a gram, and from one gram of a text to the next

	used map[uint32]int // how often a gram was filed; nil once the table is sealed

	placed []placed // in the order of their buckets
	shift  uint32
	bits   []uint64 // by hash
	starts []int32  // of the literals of a bucket, which is 1<<perBucket hashes; one more than there are
}

const perBucket = 4

// placed is a literal that has a gram at the given offset.
type placed struct {
	text   string // canonical
	gram   uint32
	offset int32
	slot   int32
	op     op
}

// literalTables are the tables of one field, by the length of the literals less
// one; the last is for all that are longer than a gram.
type literalTables [gramSize + 1]*literalTable

// add files the literal of an atom. rarity is the frequency of grams in sampled events.
func (ts *literalTables) add(n int32, a *atom, text string, rarity map[uint32]int) {
	i := min(len(text), len(ts)) - 1
	if ts[i] == nil {
		ts[i] = &literalTable{size: min(len(text), gramSize), step: 1 + i/gramSize, used: map[uint32]int{}}
	}
	t := ts[i]
	for first := range t.step {
		best, bestCost := 0, int(^uint(0)>>1)
		for at := first; at+t.size <= len(text); at += t.step {
			g := gramAt([]byte(text[at:]), t.size)
			if cost := 8*rarity[g] + t.used[g]; cost < bestCost {
				best, bestCost = at, cost
			}
		}
		g := gramAt([]byte(text[best:]), t.size)
		t.used[g]++
		t.placed = append(t.placed, placed{text: text, gram: g, offset: int32(best), slot: n, op: a.op})
	}
}

// seal makes the tables; add must not be called afterwards.
func (ts *literalTables) seal() {
	for _, t := range ts {
		if t != nil {
			t.seal()
		}
	}
}

func (t *literalTable) seal() {
	width := min(max(bits.Len(uint(len(t.used)))+4, 9), 22) // 1 bit in 16 to 32 set, 64 B to 512 KiB
	t.used, t.shift = nil, uint32(32-width)
	t.bits = make([]uint64, 1<<width/64)
	for i := range t.placed {
		h := t.hash(t.placed[i].gram)
		t.bits[h/64] |= 1 << (h % 64)
	}
	t.placed, t.starts = inBuckets(t.placed, 1<<(width-perBucket), func(p placed) uint32 { return t.hash(p.gram) >> perBucket })
}

func (t *literalTable) hash(gram uint32) uint32 { return gram * 0x9E3779B1 >> t.shift }

// scan calls found for each atom whose literal occurs where its operator wants it.
func (ts *literalTables) scan(text []byte, found func(slot int32)) {
	for _, t := range ts {
		if t != nil {
			t.scan(text, found)
		}
	}
}

func (t *literalTable) scan(text []byte, found func(slot int32)) {
	for i := 0; i+t.size <= len(text); i += t.step {
		g := gramAt(text[i:], t.size)
		h := t.hash(g)
		if t.bits[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		bucket := t.placed[t.starts[h>>perBucket]:t.starts[h>>perBucket+1]]
		for j := range bucket {
			if p := &bucket[j]; p.gram == g && p.occurs(text, i-int(p.offset)) {
				found(p.slot)
			}
		}
	}
}

// occurs reports whether the literal stands at the given place and may stand there.
func (p *placed) occurs(text []byte, at int) bool {
	end := at + len(p.text)
	if at < 0 || end > len(text) || string(text[at:end]) != p.text {
		return false
	}
	switch p.op {
	case opEqual, opIn:
		return at == 0 && end == len(text)
	case opPrefix:
		return at == 0
	case opSuffix:
		return end == len(text)
	}
	return true
}

// gramAt is the gram that the text begins with.
func gramAt(text []byte, size int) uint32 {
	if size == gramSize {
		return binary.LittleEndian.Uint32(text)
	}
	var g uint32
	for _, c := range text[:size] {
		g = g<<8 | uint32(c)
	}
	return g
}

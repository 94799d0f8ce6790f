package index

import "math/bits"

// gramSize is the number of bytes by which literals are found in a text.
// Shorter literals have tables of their own.
const gramSize = 4

// literals finds which of many literals occur in a text: it slides a window of
// gramSize bytes over the canonical form and looks each up in a bitmap, which
// nearly always says no, then in a table. One gram of each literal is filed, a
// rare one.
type literalTable struct {
	size  int // bytes of a gram
	bits  []uint64
	shift uint
	grams map[uint32][]placed
}

// placed is a literal that has a gram at the given offset.
type placed struct {
	atom   int32
	offset int
	text   string // canonical
	op     op
}

// literalTables are the tables of one field, by gram size less one.
type literalTables [gramSize]*literalTable

// add files the literal of an atom. rarity says how often a gram was seen in
// sampled events.
func (ts *literalTables) add(n int32, a *atom, text string, rarity map[uint32]int) {
	size := min(gramSize, len(text))
	t := ts[size-1]
	if t == nil {
		t = &literalTable{size: size, grams: map[uint32][]placed{}}
		ts[size-1] = t
	}
	best, bestCost := 0, int(^uint(0)>>1)
	for i := 0; i+size <= len(text); i++ {
		g := gramAt(text, i, size)
		if cost := 8*rarity[g] + len(t.grams[g]); cost < bestCost {
			best, bestCost = i, cost
		}
	}
	g := gramAt(text, best, size)
	t.grams[g] = append(t.grams[g], placed{atom: n, offset: best, text: text, op: a.op})
}

// seal makes the bitmaps; nothing may be added afterwards.
func (ts *literalTables) seal() {
	for _, t := range ts {
		if t == nil {
			continue
		}
		n := bits.Len(uint(len(t.grams)))
		width := uint(min(max(n+5, 10), 22)) // 1 bit in 32 set, 128 B to 512 KiB
		t.shift = 32 - width
		t.bits = make([]uint64, 1<<width/64)
		for g := range t.grams {
			h := t.hash(g)
			t.bits[h/64] |= 1 << (h % 64)
		}
	}
}

func (t *literalTable) hash(gram uint32) uint32 { return gram * 0x9E3779B1 >> t.shift }

// scan calls found for each atom whose literal occurs where its operator wants it.
func (ts *literalTables) scan(text []byte, found func(atom int32)) {
	for _, t := range ts {
		if t != nil && len(text) >= t.size {
			t.scan(text, found)
		}
	}
}

func (t *literalTable) scan(text []byte, found func(atom int32)) {
	var window uint32
	mask := uint32(1)<<(8*t.size) - 1
	if t.size == gramSize {
		mask = ^uint32(0)
	}
	for _, c := range text[:t.size-1] {
		window = window<<8 | uint32(c)
	}
	for i, c := range text[t.size-1:] {
		window = (window<<8 | uint32(c)) & mask
		h := t.hash(window)
		if t.bits[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, p := range t.grams[window] {
			if p.occurs(text, i-p.offset) {
				found(p.atom)
			}
		}
	}
}

// occurs says whether the literal stands at the given place and may stand there.
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

func gramAt(text string, at, size int) uint32 {
	var g uint32
	for i := range size {
		g = g<<8 | uint32(text[at+i])
	}
	return g
}

package index

import (
	"strings"
	"sync"
	"sync/atomic"
)

// Costs are learnt from the events themselves: after the first few hundred
// events of a class, and again each time sixteen times as many have passed, the
// atoms are counted over a sample and the conditions filed anew. A lesson takes
// at most a few tens of milliseconds and is paid by the event that completes the
// sample. It changes the cost of finding candidates, never which are found.
const (
	lessonFactor = 16
	sampleSize   = 256
	maxKept      = 4096 // bytes kept of one text
)

// learner gathers the sample of a class.
type learner struct {
	size   int           // events of a sample
	stride atomic.Uint64 // one event in so many is kept; a power of two
	seen   atomic.Uint64

	mu     sync.Mutex
	sample [][]value // guarded by mu; in the order of Class.fields
}

func (l *learner) begin() {
	l.size = sampleSize
	l.stride.Store(1)
}

// observe takes note of the event in s.
func (l *learner) observe(c *Class, s *scratch) {
	if l.seen.Add(1)&(l.stride.Load()-1) != 0 || !l.mu.TryLock() { // locked: another event is being noted
		return
	}
	defer l.mu.Unlock()
	l.sample = append(l.sample, c.snapshot(s))
	if len(l.sample) < l.size {
		return
	}
	l.stride.Store(l.stride.Load() * lessonFactor)
	c.learn(l.sample)
	l.sample = nil
}

// snapshot copies the values of the event: they may lie in a message.
func (c *Class) snapshot(s *scratch) []value {
	if s.event != nil {
		s.load(s.event, c.fields)
		s.event = nil
	}
	kept := make([]value, len(c.fields))
	for i := range c.fields {
		kept[i] = s.fields[i].value
		text := kept[i].text
		kept[i].text = strings.Clone(text[:min(len(text), maxKept)])
	}
	return kept
}

// learn counts how often each atom holds in the sample, and each gram occurs,
// and files the conditions anew.
func (c *Class) learn(sample [][]value) {
	o := &odds{atoms: c.atoms, seen: make([]int, len(c.atoms)), events: len(sample)}
	rarity := map[*field]map[uint32]int{}
	plans := c.fieldPlans(c.atoms, nil)
	counted := make([]uint32, len(c.atoms)) // turn in which it was
	r := &record{fields: make([]fieldRecord, len(c.fields))}
	for _, values := range sample {
		r.begin()
		for i, f := range c.fields {
			r.fields[i].value = values[i]
			if f.typ == textType {
				countGrams(rarity, f, r.canonical(int32(i)))
			}
		}
		for _, fp := range plans {
			fp.lookup(r, func(a int32) {
				if counted[a] != r.turn && c.checks[a].holds(r) {
					counted[a] = r.turn
					o.seen[a]++
				}
			})
		}
	}
	c.plan.Store(newPlan(c, o, rarity))
}

func countGrams(rarity map[*field]map[uint32]int, f *field, text []byte) {
	m := rarity[f]
	if m == nil {
		m = map[uint32]int{}
		rarity[f] = m
	}
	for ; len(text) >= gramSize; text = text[1:] {
		m[gramAt(text, gramSize)]++
	}
}

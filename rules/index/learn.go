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
	maxSample    = 256
	minSample    = 64
	maxChecks    = 1 << 20 // atoms × events of one lesson
	maxKept      = 4096    // bytes kept of one text
)

// learner gathers the sample of a class.
type learner struct {
	size   int           // events of a sample
	stride atomic.Uint64 // one event in so many is kept
	seen   atomic.Uint64

	mu     sync.Mutex
	sample [][]value // guarded by mu; in the order of Class.fields
}

func (l *learner) begin(atoms int) {
	l.size = max(min(maxSample, maxChecks/(atoms+1)), minSample)
	l.stride.Store(1)
}

// observe takes note of the event in s.
func (l *learner) observe(c *Class, s *scratch) {
	if l.seen.Add(1)%l.stride.Load() != 0 || !l.mu.TryLock() { // locked: another event is being noted
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
	for i, f := range c.fields {
		kept[i] = s.values[f.id]
		text := kept[i].text
		kept[i].text = strings.Clone(text[:min(len(text), maxKept)])
	}
	return kept
}

// learn counts how often each atom holds in the sample, and each gram occurs,
// and files the conditions anew.
func (c *Class) learn(sample [][]value) {
	o := &odds{atoms: c.index.atoms, seen: make([]int, len(c.index.atoms)), events: len(sample)}
	rarity := map[*field]map[uint32]int{}
	r := newRecord()
	for _, values := range sample {
		r.begin()
		for i, f := range c.fields {
			r.values[f.id] = values[i]
			if f.typ == textType {
				countGrams(rarity, f, r.canonical(f))
			}
		}
		for _, a := range c.atoms {
			if c.index.atoms[a].holds(r) {
				o.seen[a]++
			}
		}
	}
	c.plan.Store(newPlan(c.conds, o, rarity))
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

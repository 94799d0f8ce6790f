package index

import (
	"slices"
	"sync"
	"sync/atomic"

	"edrpipe/pkg/events"
)

// Class is the conditions that are asked of one sort of event.
type Class struct {
	index  *Index
	ids    []int // of the conditions, as the caller numbers them
	conds  []cond
	atoms  []int32 // of all conds
	fields []*field

	plan    atomic.Pointer[plan]
	scratch sync.Pool
	learner learner
}

// scratch is the state of matching one event.
type scratch struct {
	record
	event  *events.Event // where fields that are not loaded yet come from; nil when all are
	memo   []uint32      // per atom of the index: turn<<1 | holds
	tried  []uint32      // per atom of the index: turn in which its conditions were looked at
	visits []uint32      // per condition of the class: turn in which it was looked at
	found  []int32
}

func newClass(x *Index, ids []int) *Class {
	c := &Class{index: x, ids: ids}
	used := map[int32]bool{}
	for _, id := range ids {
		k := x.conds[id]
		c.conds = append(c.conds, k)
		k.each(func(a int32) { used[a] = true })
	}
	c.atoms = sortedKeys(used)
	for _, a := range c.atoms {
		if f := x.atoms[a].field; !slices.Contains(c.fields, f) {
			c.fields = append(c.fields, f)
		}
	}
	c.plan.Store(newPlan(c.conds, &odds{atoms: x.atoms}, nil))
	c.scratch.New = func() any {
		return &scratch{
			record: *newRecord(),
			memo:   make([]uint32, len(x.atoms)),
			tried:  make([]uint32, len(x.atoms)),
			visits: make([]uint32, len(c.conds)),
		}
	}
	c.learner.begin(len(c.atoms))
	return c
}

// each visits the atoms of a condition.
func (k cond) each(visit func(int32)) {
	if k.op == condHolds || k.op == condLacks {
		visit(k.atom)
	}
	for _, kid := range k.kids {
		kid.each(visit)
	}
}

// Len is how many conditions are asked of such an event.
func (c *Class) Len() int { return len(c.ids) }

// Candidates appends to dst, in ascending order, the numbers of the conditions
// that may be true of e or fail on it. Of e only the fields that Index.Fields
// names are read, and its text is not kept.
func (c *Class) Candidates(dst []int, e *events.Event) []int {
	if len(c.ids) == 0 {
		return dst
	}
	s := c.scratch.Get().(*scratch)
	defer c.scratch.Put(s)
	s.start()
	s.event = e
	p := c.plan.Load()
	for _, fp := range p.fields {
		s.values[fp.field.id] = fp.field.read(e)
	}
	return c.candidates(dst, s, p)
}

func (c *Class) candidates(dst []int, s *scratch, p *plan) []int {
	s.found = s.found[:0]
	for _, n := range p.open {
		c.consider(s, n)
	}
	for _, fp := range p.fields {
		fp.lookup(&s.record, func(n int32) {
			sl := &p.slots[n]
			if s.tried[sl.atom] == s.turn { // a text may have a literal a thousand times
				return
			}
			s.tried[sl.atom] = s.turn
			if !c.holds(s, sl.atom) {
				return
			}
			for _, k := range sl.conds {
				c.consider(s, k)
			}
		})
	}
	slices.Sort(s.found)
	for _, n := range s.found {
		dst = append(dst, c.ids[n])
	}
	c.learner.observe(c, s)
	return dst
}

// consider checks the whole necessary condition, once per event.
func (c *Class) consider(s *scratch, n int32) {
	if s.visits[n] == s.turn {
		return
	}
	s.visits[n] = s.turn
	if s.event != nil { // the fields that no table is for
		s.load(s.event, c.fields)
		s.event = nil
	}
	if c.check(s, &c.conds[n]) {
		s.found = append(s.found, n)
	}
}

func (c *Class) check(s *scratch, k *cond) bool {
	switch k.op {
	case condAlways:
		return true
	case condNever:
		return false
	case condHolds:
		return c.holds(s, k.atom)
	case condLacks:
		a := c.index.atoms[k.atom]
		return !c.holds(s, k.atom) || a.fold && !s.ascii(a.field)
	case condAny:
		for i := range k.kids {
			if c.check(s, &k.kids[i]) {
				return true
			}
		}
		return false
	}
	for i := range k.kids {
		if !c.check(s, &k.kids[i]) {
			return false
		}
	}
	return true
}

// holds is whether the atom does, computed once per event.
func (c *Class) holds(s *scratch, n int32) bool {
	if m := s.memo[n]; m>>1 == s.turn {
		return m&1 == 1
	}
	h := c.index.atoms[n].holds(&s.record)
	s.memo[n] = s.turn << 1
	if h {
		s.memo[n] |= 1
	}
	return h
}

// maxTurn is where turns wrap around: memo keeps them in 31 bits.
const maxTurn = 1<<31 - 1

// start forgets the last event.
func (s *scratch) start() {
	if s.turn == maxTurn { // stamps of two billion events ago would look fresh
		clear(s.memo)
		clear(s.tried)
		clear(s.visits)
		clear(s.forms)
		s.turn = 0
	}
	s.begin()
}

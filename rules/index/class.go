package index

import (
	"slices"
	"sync"
	"sync/atomic"

	"edrpipe/pkg/events"
)

// Class is the set of conditions for one sort of event. It has its own numbering of
// conditions, atoms and fields, so that its tables are small.
type Class struct {
	ids    []int // of the conditions, as the caller numbers them
	conds  program
	atoms  []*atom // of all conds
	checks []check // the same, made ready
	fields []*field

	plan    atomic.Pointer[plan]
	scratch sync.Pool
	learner learner
}

// scratch is the state of matching one event.
type scratch struct {
	record
	event  *events.Event // where fields that are not loaded yet come from; nil when all are
	marks  []mark        // per atom
	visits []uint32      // per condition: turn in which it was looked at
	found  []int32
}

// mark is what is known of an atom.
type mark struct {
	memo  uint32 // turn<<1 | holds
	tried uint32 // turn in which the conditions filed under it were looked at
}

func newClass(x *Index, ids []int) *Class {
	conds, numbers := x.conds.excerpt(ids)
	c := &Class{ids: ids, conds: conds}
	for _, n := range numbers {
		a := x.atoms[n]
		c.atoms = append(c.atoms, a)
		if !slices.Contains(c.fields, a.field) {
			c.fields = append(c.fields, a.field)
		}
	}
	c.checks = newChecks(c.atoms, c.fields)
	c.plan.Store(newPlan(c, &odds{atoms: c.atoms}, nil))
	c.scratch.New = func() any {
		return &scratch{
			record: record{fields: make([]fieldRecord, len(c.fields))},
			marks:  make([]mark, len(c.atoms)),
			visits: make([]uint32, len(c.ids)),
		}
	}
	c.learner.begin()
	return c
}

// Len is the number of conditions for such an event.
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
		s.fields[fp.at].value = fp.field.read(e)
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
			if m := &s.marks[sl.atom]; m.tried != s.turn { // a text may have a literal a thousand times
				m.tried = s.turn
				c.try(s, sl.atom, p.conds[sl.first:sl.end])
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

// try looks at the conditions filed under an atom if that holds.
func (c *Class) try(s *scratch, atom int32, conds []int32) {
	if !c.holds(s, atom) {
		return
	}
	for _, n := range conds {
		c.consider(s, n)
	}
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
	if c.fulfilled(s, c.conds.tree(int(n))) {
		s.found = append(s.found, n)
	}
}

func (c *Class) fulfilled(s *scratch, tree []node) bool {
	switch n := tree[0]; n.op {
	case condAlways:
		return true
	case condNever:
		return false
	case condHolds:
		return c.holds(s, n.atom)
	case condLacks:
		k := &c.checks[n.atom]
		return !c.holds(s, n.atom) || k.fold && !s.isASCII(k.field)
	case condAny:
		for kid := range kids(tree) {
			if c.fulfilled(s, kid) {
				return true
			}
		}
		return false
	}
	for kid := range kids(tree) {
		if !c.fulfilled(s, kid) {
			return false
		}
	}
	return true
}

// holds is whether the atom does. Where that is dear it is computed once per event.
func (c *Class) holds(s *scratch, atom int32) bool {
	k := &c.checks[atom]
	if !k.dear() {
		return k.holds(&s.record)
	}
	m := &s.marks[atom]
	if m.memo>>1 != s.turn {
		m.memo = s.turn << 1
		if k.holds(&s.record) {
			m.memo |= 1
		}
	}
	return m.memo&1 == 1
}

// maxTurn is where turns wrap around: memo keeps them in 31 bits.
const maxTurn = 1<<31 - 1

// start forgets the last event.
func (s *scratch) start() {
	if s.turn == maxTurn { // stamps of two billion events ago would look fresh
		clear(s.marks)
		clear(s.visits)
		clear(s.fields)
		s.turn = 0
	}
	s.begin()
}

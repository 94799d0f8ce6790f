package index

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"slices"
	"unicode/utf8"
)

// plan is how the conditions of one class are found: for each field the tables
// of the atoms that some condition is filed under.
type plan struct {
	fields []*fieldPlan
	slots  []slot
	conds  []int32 // of the slots
	open   []int32 // conditions without an access set: always looked at
}

// slot is an atom that conditions are filed under.
type slot struct {
	atom       int32
	first, end int32 // in plan.conds
}

// fieldPlan looks up the atoms of one field. The tables hold slot numbers.
type fieldPlan struct {
	field    *field
	at       int32        // the field's number in the class
	seed     maphash.Seed // of the hashes of texts
	exact    postings
	folded   postings // canonical texts
	numbers  postings
	literals literalTables
	atLeast  []bound // hold for values above: ascending
	atMost   []bound // hold for values below: descending
	networks []network
	each     []int32 // checked one by one: no table for them
}

type bound struct {
	limit float64 // rounded: a filter, the atom decides
	slot  int32
}

type network struct {
	bits  int
	v4    bool
	slots map[netip.Prefix][]int32
}

// newPlan files every condition of the class.
func newPlan(c *Class, o *odds, rarity map[*field]map[uint32]int) *plan {
	p := &plan{}
	filed := make([][]int32, len(c.atoms))
	for i := range c.ids {
		atoms, _, ok := o.access(c.conds.tree(i))
		if !ok {
			p.open = append(p.open, int32(i))
		}
		for _, a := range atoms {
			filed[a] = append(filed[a], int32(i))
		}
	}
	var atoms []*atom
	for a, conds := range filed {
		if len(conds) > 0 {
			first := int32(len(p.conds))
			p.conds = append(p.conds, conds...)
			p.slots = append(p.slots, slot{atom: int32(a), first: first, end: int32(len(p.conds))})
			atoms = append(atoms, c.atoms[a])
		}
	}
	p.fields = c.fieldPlans(atoms, rarity)
	return p
}

// fieldPlans files atoms under their places in the list.
func (c *Class) fieldPlans(atoms []*atom, rarity map[*field]map[uint32]int) []*fieldPlan {
	var plans []*fieldPlan
	of := map[*field]*fieldPlan{}
	for n, a := range atoms {
		fp := of[a.field]
		if fp == nil {
			fp = &fieldPlan{field: a.field, at: int32(slices.Index(c.fields, a.field)), seed: maphash.MakeSeed()}
			of[a.field] = fp
			plans = append(plans, fp)
		}
		fp.file(int32(n), a, rarity[a.field])
	}
	for _, fp := range plans {
		fp.seal()
	}
	return plans
}

// file puts an atom into the table that its operator is looked up in.
func (fp *fieldPlan) file(n int32, a *atom, rarity map[uint32]int) {
	texts := &fp.exact
	if a.fold {
		texts = &fp.folded
	}
	switch a.op {
	case opEqual:
		texts.add(fp.hash(a.text), n)
	case opIn:
		for t := range a.texts {
			texts.add(fp.hash(t), n)
		}
	case opContains, opPrefix, opSuffix:
		if !utf8.ValidString(a.text) { // canonical forms keep containment of valid text only
			fp.each = append(fp.each, n)
			return
		}
		fp.literals.add(n, a, canonical(a.text), rarity)
	case opNet:
		fp.network(a.net, n)
	case opIs:
		if a.float {
			fp.each = append(fp.each, n)
			return
		}
		fp.numbers.add(hashOfNumber(a.num), n)
	case opIsIn:
		for v := range a.nums {
			fp.numbers.add(hashOfNumber(v), n)
		}
	case opMore, opMoreEq:
		fp.atLeast = append(fp.atLeast, bound{a.limit(), n})
	case opLess, opLessEq:
		fp.atMost = append(fp.atMost, bound{a.limit(), n})
	}
}

func (a *atom) limit() float64 {
	if a.float {
		return a.flt
	}
	return float64(a.num)
}

func (fp *fieldPlan) network(p netip.Prefix, n int32) {
	i := slices.IndexFunc(fp.networks, func(w network) bool { return w.bits == p.Bits() && w.v4 == p.Addr().Is4() })
	if i < 0 {
		i = len(fp.networks)
		fp.networks = append(fp.networks, network{bits: p.Bits(), v4: p.Addr().Is4(), slots: map[netip.Prefix][]int32{}})
	}
	fp.networks[i].slots[p] = append(fp.networks[i].slots[p], n)
}

func (fp *fieldPlan) seal() {
	slices.SortFunc(fp.atLeast, func(a, b bound) int { return cmp.Compare(a.limit, b.limit) })
	slices.SortFunc(fp.atMost, func(a, b bound) int { return cmp.Compare(b.limit, a.limit) })
	for _, p := range []*postings{&fp.exact, &fp.folded, &fp.numbers} {
		p.seal()
	}
	fp.literals.seal()
}

func (fp *fieldPlan) hash(text string) uint32 { return uint32(maphash.String(fp.seed, text)) }

// lookup calls found for each slot whose atom may hold; the caller checks.
func (fp *fieldPlan) lookup(r *record, found func(int32)) {
	switch fp.field.typ {
	case textType:
		fp.lookupText(r, found)
	default:
		fp.lookupNumber(&r.fields[fp.at].value, found)
	}
	for _, n := range fp.each {
		found(n)
	}
}

func (fp *fieldPlan) lookupText(r *record, found func(int32)) {
	if len(fp.exact.entries) > 0 {
		fp.exact.find(fp.hash(r.fields[fp.at].text), found)
	}
	if len(fp.folded.entries) > 0 {
		fp.folded.find(uint32(maphash.Bytes(fp.seed, r.canonical(fp.at))), found)
	}
	if fp.literals != (literalTables{}) {
		fp.literals.scan(r.canonical(fp.at), found)
	}
	if len(fp.networks) == 0 {
		return
	}
	addr, ok := r.address(fp.at)
	for i := range fp.networks {
		w := &fp.networks[i]
		if !ok || addr.Is4() != w.v4 {
			continue
		}
		p, _ := addr.Prefix(w.bits)
		for _, n := range w.slots[p] {
			found(n)
		}
	}
}

func (fp *fieldPlan) lookupNumber(v *value, found func(int32)) {
	x := v.float
	if fp.field.typ != floatType {
		x = float64(v.int)
		fp.numbers.find(hashOfNumber(v.int), found)
	}
	for _, b := range fp.atLeast {
		if b.limit > x {
			break
		}
		found(b.slot)
	}
	for _, b := range fp.atMost {
		if b.limit < x {
			break
		}
		found(b.slot)
	}
}

package index

import (
	"bytes"
	"strings"
)

// check is an atom compiled for one class of events; the data used for nearly every
// event is adjacent in memory.
type check struct {
	literal []byte // the text; in canonical form where fold
	num     int64
	field   int32 // in the class
	op      op
	fold    bool
	float   bool
	atom    *atom // the rest
}

// newChecks makes the atoms of a class ready. fields are the class's.
func newChecks(atoms []*atom, fields []*field) []check {
	number := map[*field]int32{}
	for i, f := range fields {
		number[f] = int32(i)
	}
	var size int
	for _, a := range atoms {
		size += len(a.text)
	}
	literals := make([]byte, 0, size) // of all checks: neighbours are compared together
	checks := make([]check, len(atoms))
	for i, a := range atoms {
		start := len(literals)
		literals = append(literals, a.text...)
		checks[i] = check{
			literal: literals[start:len(literals):len(literals)],
			num:     a.num, field: number[a.field], op: a.op, fold: a.fold, float: a.float, atom: a,
		}
	}
	return checks
}

// dear reports whether the answer is worth keeping for the next condition that
// asks for it.
func (k *check) dear() bool {
	switch k.op {
	case opContains, opIn, opIsIn, opNet:
		return true
	}
	return false
}

// holds reports whether the claim is true of the record.
func (k *check) holds(r *record) bool {
	switch {
	case k.op == opNet:
		addr, ok := r.address(k.field)
		return ok && k.atom.net.Contains(addr)
	case k.op >= opIs:
		return k.holdsNumber(&r.fields[k.field].value)
	case k.fold:
		return k.holdsFolded(r.canonical(k.field))
	}
	v := r.fields[k.field].text
	switch k.op {
	case opEqual:
		return v == string(k.literal)
	case opIn:
		_, ok := k.atom.texts[v]
		return ok
	case opContains:
		return strings.Contains(v, k.atom.text)
	case opPrefix:
		return strings.HasPrefix(v, k.atom.text)
	}
	return strings.HasSuffix(v, k.atom.text)
}

func (k *check) holdsFolded(v []byte) bool {
	switch k.op {
	case opEqual:
		return bytes.Equal(v, k.literal)
	case opIn:
		_, ok := k.atom.texts[string(v)]
		return ok
	case opContains:
		return bytes.Contains(v, k.literal)
	case opPrefix:
		return bytes.HasPrefix(v, k.literal)
	}
	return bytes.HasSuffix(v, k.literal)
}

func (k *check) holdsNumber(v *value) bool {
	if k.op == opIsIn {
		_, ok := k.atom.nums[v.int]
		return ok
	}
	if k.float {
		x := v.float
		if k.atom.field.typ == intType {
			x = float64(v.int)
		}
		return compare(k.op, x, k.atom.flt)
	}
	return compare(k.op, v.int, k.num)
}

func compare[T int64 | float64](o op, x, y T) bool {
	switch o {
	case opIs:
		return x == y
	case opLess:
		return x < y
	case opLessEq:
		return x <= y
	case opMore:
		return x > y
	}
	return x >= y
}

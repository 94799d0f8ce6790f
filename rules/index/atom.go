package index

import (
	"bytes"
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// op is the relation that an atom claims between a field and its literal.
type op uint8

const (
	opEqual    op = iota // text
	opIn                 // text, any of a set
	opContains           // text
	opPrefix             // text
	opSuffix             // text
	opNet                // text that is an address inside a network
	opIs                 // number
	opIsIn               // integer, any of a set
	opLess               // number
	opLessEq             // number
	opMore               // number
	opMoreEq             // number
)

// atom is a claim about one field that can be checked without the expression.
// Equal atoms are one atom, whatever the number of conditions that make them.
type atom struct {
	field *field
	op    op
	fold  bool // compares canonical forms: necessary, seldom sufficient

	// refusable says that "not atom" may refuse a condition: always for an exact
	// atom; for a folded one only when its literal is what the operator makes of
	// it and the value is ASCII. Elsewhere the canonical form joins too much.
	refusable bool

	text  string // literal; in canonical form where fold
	raw   []byte // text again, for package bytes
	texts map[string]struct{}
	net   netip.Prefix

	float bool // compare as floating-point numbers
	num   int64
	flt   float64
	nums  map[int64]struct{}
}

// key identifies the claim.
func (a *atom) key() string {
	var b strings.Builder
	b.WriteString(a.field.path)
	b.WriteByte(0)
	b.WriteByte(byte(a.op))
	b.WriteString(strconv.FormatBool(a.fold) + strconv.FormatBool(a.refusable))
	switch {
	case a.op == opIn:
		for _, s := range sortedKeys(a.texts) {
			b.WriteString(strconv.Itoa(len(s)) + ":" + s)
		}
	case a.op == opIsIn:
		for _, n := range sortedKeys(a.nums) {
			b.WriteString(strconv.FormatInt(n, 10) + ",")
		}
	case a.op == opNet:
		b.WriteString(a.net.String())
	case a.op < opNet:
		b.WriteString(a.text)
	case a.float:
		b.WriteString("f" + strconv.FormatFloat(a.flt, 'x', -1, 64))
	default:
		b.WriteString("i" + strconv.FormatInt(a.num, 10))
	}
	return b.String()
}

// holds says whether the claim is true of the record.
func (a *atom) holds(r *record) bool {
	switch {
	case a.op == opNet:
		addr, ok := r.address(a.field)
		return ok && a.net.Contains(addr)
	case a.op >= opIs:
		return a.holdsNumber(&r.values[a.field.id])
	case a.fold:
		return a.holdsFolded(r.canonical(a.field))
	}
	v := r.values[a.field.id].text
	switch a.op {
	case opEqual:
		return v == a.text
	case opIn:
		_, ok := a.texts[v]
		return ok
	case opContains:
		return strings.Contains(v, a.text)
	case opPrefix:
		return strings.HasPrefix(v, a.text)
	}
	return strings.HasSuffix(v, a.text)
}

func (a *atom) holdsFolded(v []byte) bool {
	switch a.op {
	case opEqual:
		return string(v) == a.text
	case opIn:
		_, ok := a.texts[string(v)]
		return ok
	case opContains:
		return bytes.Contains(v, a.raw)
	case opPrefix:
		return bytes.HasPrefix(v, a.raw)
	}
	return bytes.HasSuffix(v, a.raw)
}

func (a *atom) holdsNumber(v *value) bool {
	if a.op == opIsIn {
		_, ok := a.nums[v.int]
		return ok
	}
	if a.float {
		x := v.float
		if a.field.typ == intType {
			x = float64(v.int)
		}
		return compare(a.op, x, a.flt)
	}
	return compare(a.op, v.int, a.num)
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

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

package index

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
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

// atom is a predicate on one field that can be checked without the expression. Equal
// atoms are shared by all conditions that contain them.
type atom struct {
	field *field
	op    op
	fold  bool // compares canonical forms: necessary, seldom sufficient

	// refusable: "not atom" may refuse a condition. True for every exact atom; for a
	// folded one only if its literal is in the operator's own form and the value is
	// ASCII. Elsewhere the canonical form identifies too much.
	refusable bool

	text  string // literal; in canonical form where fold
	texts map[string]struct{}
	net   netip.Prefix

	float bool // compare as floating-point numbers
	num   int64
	flt   float64
	nums  map[int64]struct{}
}

// key identifies the claim.
func (a *atom) key() string {
	var room [128]byte
	b := append(append(room[:0], a.field.path...), 0, byte(a.op))
	b = strconv.AppendBool(strconv.AppendBool(b, a.fold), a.refusable)
	switch {
	case a.op == opIn:
		for _, s := range sortedKeys(a.texts) {
			b = append(append(strconv.AppendInt(b, int64(len(s)), 10), ':'), s...)
		}
	case a.op == opIsIn:
		for _, n := range sortedKeys(a.nums) {
			b = append(strconv.AppendInt(b, n, 10), ',')
		}
	case a.op == opNet:
		b = a.net.AppendTo(b)
	case a.op < opNet:
		b = append(b, a.text...)
	case a.float:
		b = strconv.AppendFloat(append(b, 'f'), a.flt, 'x', -1, 64)
	default:
		b = strconv.AppendInt(append(b, 'i'), a.num, 10)
	}
	return string(b)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := slices.AppendSeq(make([]K, 0, len(m)), maps.Keys(m))
	slices.Sort(keys)
	return keys
}

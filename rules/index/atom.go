package index

import (
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

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}

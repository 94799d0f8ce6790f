package list

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"edrpipe/pkg/events"
)

// Kind is what a list holds.
type Kind string

// Kinds of list.
const (
	Hash   Kind = "hash"   // MD5 and SHA-256
	IP     Kind = "ip"     // addresses and networks
	Domain Kind = "domain" // *.example.com has every name below it
	Path   Kind = "path"   // whole paths
	Text   Kind = "text"   // anything
)

// Kinds lists the kinds that a list may declare.
var Kinds = []string{string(Hash), string(IP), string(Domain), string(Path), string(Text)}

// List is a list of values. It is immutable and safe for concurrent use.
type List struct {
	Kind    Kind
	entries []string // in normal form, sorted, each once
	own     []string // the entries of the file, without those of With
	given   []string // those of With, in normal form, sorted, each once
	exact   map[string]bool
	below   map[string]bool // of *.example.com, example.com
	nets    *bart.Lite
}

// Has reports whether the list has a value, in any of its spellings.
func (l *List) Has(value string) bool {
	if value == "" {
		return false
	}
	switch l.Kind {
	case IP:
		a, err := netip.ParseAddr(value)
		return err == nil && l.nets.Contains(a.Unmap().WithZone(""))
	case Domain:
		return l.hasDomain(normalDomain(value))
	}
	return l.exact[Fold(value)]
}

func (l *List) hasDomain(name string) bool {
	if l.exact[name] {
		return true
	}
	for _, rest, found := strings.Cut(name, "."); found; _, rest, found = strings.Cut(rest, ".") {
		if l.below[rest] {
			return true
		}
	}
	return false
}

// Len is the number of different entries.
func (l *List) Len() int { return len(l.entries) }

// Entries lists the entries in normal form, in order.
func (l *List) Entries() []string { return l.entries }

// With returns a list that also has the values, without those that Elsewhere leaves out.
// Odd does not look at them: what came from elsewhere makes no rule a mistake.
func (l *List) With(values []string) *List {
	given := make([]string, 0, len(values))
	for _, v := range values {
		if normal, reason := Elsewhere(l.Kind, v); reason == "" {
			given = append(given, normal)
		}
	}
	slices.Sort(given)
	more := newList(l.Kind, slices.Concat(l.entries, given))
	more.own, more.given = l.own, slices.Compact(given)
	return more
}

// Given lists the values that the list took by With, in normal form, in order.
func (l *List) Given() []string { return l.given }

// Odd finds an entry of a list of text that a list of the kind would find and this one
// does not, such as a network; or reports that no entry is of the kind. Lists of other
// kinds have none.
func (l *List) Odd(kind Kind) (entry string, none bool) {
	if l.Kind != Text || kind == Text {
		return "", false
	}
	none = len(l.own) > 0
	for _, e := range l.own {
		normal, wrong := normalFor(kind, e)
		if wrong.message != "" {
			continue
		}
		none = false
		if normal != Fold(e) || strings.HasPrefix(normal, "*.") || kind == IP && strings.Contains(normal, "/") {
			return e, false
		}
	}
	return "", none
}

// Fold is how lists see text: case does not count.
func Fold(s string) string { return strings.ToLower(s) }

func normalDomain(s string) string { return strings.TrimRight(strings.ToLower(s), ".") }

// newList makes a list of entries that are in normal form.
func newList(kind Kind, entries []string) *List {
	slices.Sort(entries)
	l := &List{Kind: kind, entries: slices.Compact(entries), exact: map[string]bool{}, below: map[string]bool{}, nets: &bart.Lite{}}
	l.own = l.entries
	for _, e := range l.entries {
		parent, wild := strings.CutPrefix(e, "*.")
		switch {
		case kind == IP:
			if p, err := prefixOf(e); err == nil { // it has been checked
				l.nets.Insert(p)
			}
		case kind == Domain && wild:
			l.below[parent] = true
		default:
			l.exact[Fold(e)] = true
		}
	}
	return l
}

// prefixOf reads an address or network.
func prefixOf(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p, err
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// normalPath is a path as events have it.
func normalPath(s string) string { return events.NormalPath(s) }

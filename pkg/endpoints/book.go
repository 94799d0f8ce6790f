package endpoints

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gaissmai/bart"
)

// A Book is an endpoints file that was read. It is safe for concurrent use. A nil Book
// says nothing.
type Book struct {
	Name    string // of the file
	entries []entry

	hosts    map[string][]int // entries by host name, lower case and without domain
	groups   map[string][]int // by group, lower case
	nets     bart.Table[[]int]
	patterns []int // entries with a pattern of host names
	others   []int // that name only servers

	mu    sync.Mutex
	facts map[string]*Facts // by the entries that fit
}

// Len is the number of entries.
func (b *Book) Len() int {
	if b == nil {
		return 0
	}
	return len(b.entries)
}

// Facts is what the file says of an endpoint; nil: nothing.
func (b *Book) Facts(s Subject) *Facts {
	if b.Len() == 0 {
		return nil
	}
	fitting := b.entriesOf(&s)
	if len(fitting) == 0 {
		return nil
	}
	var key []byte
	for _, i := range fitting {
		key = binary.AppendUvarint(key, uint64(i))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.facts[string(key)]; f != nil {
		return f
	}
	f := &Facts{}
	for _, i := range fitting {
		f.add(&b.entries[i])
	}
	if len(b.facts) < maxShared {
		b.facts[string(key)] = f
	}
	return f
}

// maxShared bounds the values that endpoints share.
const maxShared = 200_000

// entriesOf lists the entries that fit an endpoint, in their order.
func (b *Book) entriesOf(s *Subject) []int {
	if b.Len() == 0 {
		return nil
	}
	var may []int
	for _, name := range [...]string{s.Hostname, s.DNSName} {
		may = append(may, b.hosts[hostKey(name)]...)
		if short := hostKey(name); len(short) > netbios {
			may = append(may, b.hosts[short[:netbios]]...)
		}
	}
	may = append(may, b.groups[strings.ToLower(s.Group)]...)
	for _, a := range s.Addresses {
		for _, list := range b.nets.Supernets(netip.PrefixFrom(a, a.BitLen())) {
			may = append(may, list...)
		}
	}
	may = append(append(may, b.patterns...), b.others...)
	slices.Sort(may)
	return slices.DeleteFunc(slices.Compact(may), func(i int) bool { return !b.entries[i].fits(s) })
}

// netbios is the length to which Windows cuts names: such a name in the file fits the
// longer one.
const netbios = 15

// hostKey is a host name by which entries are found: those that edr.SameHost takes for
// one have one key, or the cut of it.
func hostKey(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	name = name[strings.LastIndexByte(name, '\\')+1:]
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	return firstLabel(name)
}

// index makes the ways to find entries.
func (b *Book) index() {
	b.hosts, b.groups, b.facts = map[string][]int{}, map[string][]int{}, map[string]*Facts{}
	cut := map[string][]int{} // entries whose name is longer than a cut one
	for i := range b.entries {
		e := &b.entries[i]
		switch {
		case slices.ContainsFunc(e.Host, isPattern):
			b.patterns = append(b.patterns, i)
		case len(e.Host) > 0:
			for _, host := range e.Host {
				key := hostKey(host)
				b.hosts[key] = append(b.hosts[key], i)
				if len(key) > netbios {
					cut[key[:netbios]] = append(cut[key[:netbios]], i)
				}
			}
		case len(e.prefixes) > 0:
			for _, p := range e.prefixes {
				b.nets.Modify(p, func(list []int, _ bool) ([]int, bool) { return append(list, i), false })
			}
		case len(e.Group) > 0:
			for _, g := range e.Group {
				b.groups[strings.ToLower(g)] = append(b.groups[strings.ToLower(g)], i)
			}
		default:
			b.others = append(b.others, i)
		}
	}
	for name, list := range cut {
		b.hosts[name] = append(b.hosts[name], list...)
	}
}

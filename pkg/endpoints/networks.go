package endpoints

import (
	"fmt"
	"net/netip"
	"strings"
)

// networks reads an address, a network or a range of addresses.
func networks(text string) ([]netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if from, to, isRange := strings.Cut(text, "-"); isRange {
		return span(text, from, to)
	}
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network", text)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q is an address inside of the network %s", text, p.Masked())
		}
		return []netip.Prefix{p}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address", text)
	}
	a = a.Unmap().WithZone("")
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
}

// span is the networks that a range of addresses is made of.
func span(text, from, to string) ([]netip.Prefix, error) {
	first, err := netip.ParseAddr(strings.TrimSpace(from))
	last, err2 := netip.ParseAddr(strings.TrimSpace(to))
	first, last = first.Unmap().WithZone(""), last.Unmap().WithZone("")
	switch {
	case err != nil || err2 != nil:
		return nil, fmt.Errorf("%q is not a range of addresses", text)
	case first.BitLen() != last.BitLen():
		return nil, fmt.Errorf("%q begins with IPv%s and ends otherwise", text, version(first))
	case last.Less(first):
		return nil, fmt.Errorf("%q ends before it begins", text)
	}
	var all []netip.Prefix
	for {
		p := widest(first, last)
		all = append(all, p)
		end := lastOf(p)
		if end == last {
			return all, nil
		}
		first = end.Next()
	}
}

// widest is the largest network that begins at first and does not go beyond last.
func widest(first, last netip.Addr) netip.Prefix {
	best := netip.PrefixFrom(first, first.BitLen())
	for bits := first.BitLen() - 1; bits >= 0; bits-- {
		p := netip.PrefixFrom(first, bits)
		if p.Masked() != p || last.Less(lastOf(p)) {
			break
		}
		best = p
	}
	return best
}

// lastOf is the last address of a network.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < p.Addr().BitLen(); bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	a, _ := netip.AddrFromSlice(bytes) // as long as an address
	return a
}

func version(a netip.Addr) string {
	if a.Is4() {
		return "4"
	}
	return "6"
}

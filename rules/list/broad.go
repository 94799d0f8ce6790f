package list

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// The widest networks that are taken from elsewhere, as bits of their prefix.
const (
	widest4 = 16
	widest6 = 32
)

// inner are the addresses inside of every network, which no publisher knows anything of.
var inner = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"224.0.0.0/4", "255.255.255.255/32", "::/128", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8")

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// Elsewhere returns a value of another author in the normal form of a kind, or why it is
// left out. Of what the kind can have these are left out, as one of them would make rules
// match nearly everything: public suffixes, wide networks, and addresses inside of every
// network.
func Elsewhere(kind Kind, value string) (normal, reason string) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", "this is empty"
	}
	normal, wrong := normalFor(kind, value)
	if wrong.message == "" {
		wrong.message = tooMuch(kind, normal)
	}
	if wrong.message != "" {
		return "", wrong.message
	}
	return normal, ""
}

// tooMuch says why a value in normal form stands for more than a publisher may say; ""
// where it does not.
func tooMuch(kind Kind, normal string) string {
	switch kind {
	case Domain:
		name := strings.TrimPrefix(normal, "*.")
		if suffix, _ := publicsuffix.PublicSuffix(name); suffix == name {
			return "below this name anybody has domains"
		}
	case IP:
		return tooWide(normal)
	}
	return ""
}

func tooWide(normal string) string {
	p, err := prefixOf(normal)
	if err != nil {
		return ""
	}
	if widest := map[bool]int{true: widest4, false: widest6}[p.Addr().Is4()]; p.Bits() < widest {
		return fmt.Sprintf("this network is wider than /%d", widest)
	}
	for _, own := range inner {
		if own.Overlaps(p) {
			return "these addresses are inside of every network"
		}
	}
	return ""
}

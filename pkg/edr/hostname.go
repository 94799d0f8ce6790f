package edr

import (
	"net/netip"
	"strings"
)

// netbios is the length to which Windows cuts the name of a computer.
const netbios = 15

// SameHost reports whether two host names can be names of one computer: compared
// without regard to case, without their domains (DOMAIN\NAME, name.example.com), and a
// NetBIOS name of 15 characters with the longer name that it was cut from. An empty
// name is no computer's.
func SameHost(a, b string) bool {
	a, b = shortName(a), shortName(b)
	if len(a) > len(b) {
		a, b = b, a
	}
	return a != "" && (a == b || len(a) == netbios && strings.HasPrefix(b, a))
}

func shortName(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	host = host[strings.LastIndexByte(host, '\\')+1:] // DOMAIN\NAME
	name, _, _ := strings.Cut(host, ".")
	return name
}

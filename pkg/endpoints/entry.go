package endpoints

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Types are the types that an endpoint may have.
var Types = []string{"workstation", "server", "domain_controller"}

// entry is one entry of the file.
type entry struct {
	Host    []string `yaml:"host,alias=hosts" list:"one"`
	Address []string `yaml:"address,alias=addresses" list:"one"`
	Group   []string `yaml:"group,alias=groups" list:"one"`
	Server  []string `yaml:"server,alias=servers" list:"one"`

	Type        string            `yaml:"type" enum:"workstation,server,domain_controller"`
	Criticality float64           `yaml:"criticality" min:"0" max:"100"`
	Owner       string            `yaml:"owner"`
	Tags        []string          `yaml:"tags" list:"one"`
	Labels      map[string]string `yaml:"labels"`

	line     int
	says     events.Facts // that it tells; a fact may be told to be empty
	prefixes []netip.Prefix
}

// ownerLabel is the label by which conditions read the owner.
const ownerLabel = "owner"

// A Subject is an endpoint as far as entries can tell endpoints apart.
type Subject struct {
	Server    string // configured name
	Hostname  string
	DNSName   string
	Group     string // name
	Addresses []netip.Addr
}

// SubjectOf is the subject that a server's record describes.
func SubjectOf(server string, s edr.Sensor) Subject {
	return Subject{Server: server, Hostname: s.Hostname, DNSName: s.DNSName, Group: s.Group, Addresses: Addresses(s.IPs)}
}

// Addresses reads those of the texts that are addresses.
func Addresses(texts []string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil {
			all = append(all, a.Unmap().WithZone(""))
		}
	}
	return all
}

// fits reports whether the entry is about the endpoint.
func (e *entry) fits(s *Subject) bool {
	return anyOf(e.Host, func(h string) bool { return s.isHost(h) }) &&
		anyOf(e.Group, func(g string) bool { return strings.EqualFold(g, s.Group) }) &&
		anyOf(e.Server, func(name string) bool { return strings.EqualFold(name, s.Server) }) &&
		anyOf(e.prefixes, func(p netip.Prefix) bool { return slices.ContainsFunc(s.Addresses, p.Contains) })
}

// anyOf reports whether one of the list holds, or there is none.
func anyOf[T any](list []T, holds func(T) bool) bool {
	return len(list) == 0 || slices.ContainsFunc(list, holds)
}

// isHost reports whether a name or pattern of the file means the endpoint. A name
// without domain is compared with the names without theirs; one with a domain means no
// endpoint that has a name in another domain.
func (s *Subject) isHost(name string) bool {
	same := false
	for _, own := range [...]string{s.Hostname, s.DNSName} {
		switch {
		case own == "":
		case isPattern(name):
			if matches(name, own) || matches(name, firstLabel(own)) {
				return true
			}
		case edr.SameHost(name, own):
			if !sameDomain(name, own) {
				return false
			}
			same = true
		}
	}
	return same
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

func matches(pattern, name string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(name))
	return ok && err == nil
}

func firstLabel(name string) string {
	first, _, _ := strings.Cut(name, ".")
	return first
}

// sameDomain reports whether two names do not lie in different domains.
func sameDomain(a, b string) bool {
	_, a, domainA := strings.Cut(a, ".")
	_, b, domainB := strings.Cut(b, ".")
	return !domainA || !domainB || strings.EqualFold(a, b)
}

package directory

import (
	"net/netip"
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/events"
)

// Record is what is kept of an endpoint.
type Record struct {
	Endpoint    edr.Endpoint
	Hostname    string
	DNSName     string
	OS          edr.OS
	OSVersion   string
	Group       string // name; empty: not known
	Type        string // workstation, server, domain_controller; empty: not known
	LastCheckin time.Time

	groupUnread bool // the server has not answered for Group
	addresses   []netip.Addr
	own         *endpoints.Facts // from the endpoints file
}

// recordOf reduces the server's record to the cached fields. Texts that many endpoints
// share are interned. d.mu is held.
func (d *Directory) recordOf(s edr.Sensor) *Record {
	r := &Record{
		Endpoint: edr.Endpoint{Server: d.cfg.Server.Name(), ID: strings.Clone(s.ID)},
		Hostname: strings.Clone(s.Hostname), OS: s.OS,
		OSVersion: d.shared(s.OSVersion), Group: d.shared(s.Group), Type: typeOf(s.OSVersion), LastCheckin: s.LastCheckin, groupUnread: s.GroupUnread,
		addresses: endpoints.Addresses(s.IPs),
	}
	if s.DNSName != s.Hostname {
		r.DNSName = strings.Clone(s.DNSName)
	}
	r.own = d.book.Facts(r.subject())
	return r
}

func (r *Record) subject() endpoints.Subject {
	return endpoints.Subject{Server: r.Endpoint.Server, Hostname: r.Hostname, DNSName: r.DNSName, Group: r.Group, Addresses: r.addresses}
}

// same reports whether the server's record equals the cached one in the cached fields.
func (r *Record) same(s edr.Sensor) bool {
	return r.Hostname == s.Hostname && (r.DNSName == s.DNSName || r.DNSName == "" && s.DNSName == s.Hostname) &&
		r.OS == s.OS && r.OSVersion == s.OSVersion && r.Group == s.Group && r.groupUnread == s.GroupUnread && len(r.addresses) == len(endpoints.Addresses(s.IPs))
}

// typeOf infers the type from the name of the OS: Windows Server is at least a server.
// For other systems it is unknown.
func typeOf(version string) string {
	if strings.Contains(strings.ToLower(version), "windows server") {
		return typeServer
	}
	return ""
}

const (
	typeServer           = "server"
	typeDomainController = "domain_controller"
)

// shared is the text, kept once for all records. d.mu is held.
func (d *Directory) shared(text string) string {
	if kept, ok := d.texts[text]; ok {
		return kept
	}
	text = strings.Clone(text)
	d.texts[text] = text
	return text
}

// fill sets the facts of a record in an event. The server takes precedence over the
// event, except that an event's domain controller is kept over the server's "server"; the
// endpoints file takes precedence over both.
func (r *Record) fill(s *events.Sensor) {
	if r.OS != "" {
		s.OS = string(r.OS)
		s.Given |= events.FactOS
	}
	if r.OSVersion != "" {
		s.OSVersion = r.OSVersion
		s.Given |= events.FactOSVersion
	}
	if r.Group != "" {
		s.Group = r.Group
		s.Groups = []string{r.Group}
		s.Given |= events.FactGroup
	}
	if r.Type != "" && s.Type != typeDomainController {
		s.Type = r.Type
		s.Given |= events.FactType
	}
	r.own.Fill(s)
}

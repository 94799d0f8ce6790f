package directory

import (
	"strings"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Record is what is kept of an endpoint.
type Record struct {
	Endpoint    edr.Endpoint
	Hostname    string
	OS          edr.OS
	OSVersion   string
	Group       string // name; empty: not known
	Type        string // workstation, server, domain_controller; empty: not known
	LastCheckin time.Time
}

// recordOf reduces what the server says to what is kept. Texts that many endpoints
// share are kept once.
func (d *Directory) recordOf(s edr.Sensor) *Record {
	return &Record{
		Endpoint: edr.Endpoint{Server: d.cfg.Server.Name(), ID: strings.Clone(s.ID)},
		Hostname: strings.Clone(s.Hostname), OS: s.OS,
		OSVersion: d.shared(s.OSVersion), Group: d.shared(s.Group), Type: typeOf(s.OSVersion), LastCheckin: s.LastCheckin,
	}
}

// typeOf reads the type from the name of the OS, as far as that says it: Windows
// Server is at least a server. Other systems leave it open.
func typeOf(version string) string {
	if strings.Contains(strings.ToLower(version), "windows server") {
		return "server"
	}
	return ""
}

// shared is the text, kept once for all records. d.mu is held.
func (d *Directory) shared(text string) string {
	if kept, ok := d.texts[text]; ok {
		return kept
	}
	text = strings.Clone(text)
	d.texts[text] = text
	return text
}

// fill gives an event the facts of a record. What the server says goes before what the
// event says, but for a domain controller, which is a server too.
func (r *Record) fill(s *events.Sensor) {
	if r.OS != "" {
		s.OS = string(r.OS)
	}
	if r.OSVersion != "" {
		s.OSVersion = r.OSVersion
	}
	if r.Group != "" {
		s.Group = r.Group
		s.Groups = []string{r.Group}
	}
	if r.Type != "" && s.Type != "domain_controller" {
		s.Type = r.Type
	}
}

package intake

import (
	"fmt"
	"slices"
	"strings"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs"
)

// sameName compares host names as people do who know Windows.
func sameName(server, event string) bool {
	_, event, _ = cutLast(event, `\`)
	event, _, _ = strings.Cut(strings.ToLower(event), ".")
	server = strings.ToLower(server)
	return event == server || len(event) == 15 && server[:min(15, len(server))] == event
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// meant is the endpoint that an event means, by the contract and nothing else; ok is
// false where it means none, or none that can be told.
func (w world) meant(e eventDrawn) (at edr.Endpoint, ok bool) {
	s := w.server(e)
	if s == nil {
		return at, false
	}
	var fits []edr.Sensor
	for _, one := range s.Fleet {
		named := e.Host != "" && sameName(one.Hostname, e.Host)
		switch {
		case e.ID == one.ID && (e.Host == "" || named || s.Mismatch == jobs.MismatchAllow):
			fits = append(fits, one)
		case e.ID == "" && named:
			fits = append(fits, one)
		}
	}
	if len(fits) > 1 { // installed again: only one of the records is of the endpoint that exists
		fits = slices.DeleteFunc(fits, func(one edr.Sensor) bool { return !one.Online })
	}
	if len(fits) != 1 {
		return at, false
	}
	return edr.Endpoint{Server: s.Label, ID: fits[0].ID}, true
}

// server is the one that an event speaks of; nil: none that is configured, or one of
// another product, which has other endpoints under the same ids.
func (w world) server(e eventDrawn) *serverDrawn {
	if s := w.taker(e); s != nil && s.Cloud == e.Form.cloud() {
		return s
	}
	return nil
}

// taker is the server that an event names or is bound to, whatever its product; nil: none.
func (w world) taker(e eventDrawn) *serverDrawn {
	if e.Server == "" && e.Bound == "" && len(w.Servers) == 1 {
		return w.Servers[0]
	}
	for _, s := range w.Servers {
		for _, name := range s.Accept {
			if strings.EqualFold(e.Server, name) {
				return s
			}
			if e.Server == "" && (strings.EqualFold(e.Bound, name) || strings.EqualFold(e.Bound, strings.ReplaceAll(name, ".", "_"))) {
				return s
			}
		}
		if e.Server == "" && e.Bound == s.Label {
			return s
		}
	}
	return nil
}

// String prints the servers of a world.
func (w world) String() string {
	var b strings.Builder
	for _, s := range w.Servers {
		fmt.Fprintf(&b, "server %s (%s) accepts %v, host_mismatch %s:", s.Label, s.kind(), s.Accept, s.Mismatch)
		for _, one := range s.Fleet {
			fmt.Fprintf(&b, " %s=%s(online %v)", one.ID, one.Hostname, one.Online)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

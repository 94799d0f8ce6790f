package directory

import (
	"context"
	"errors"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/endpoints"
	"edrpipe/pkg/events"
)

// Fill adds the facts of its endpoint to an event of this server, and remembers the
// event's own type. It sends no request: facts that the server may have and that are not
// read yet are pending, and read by Run; those that it does not have are unknown. An event of several endpoints gets
// no facts: they may differ.
func (d *Directory) Fill(e *events.Event) {
	s := &e.Sensor
	s.Server = d.cfg.Server.Name()
	if s.Given&events.FactType == 0 {
		d.heard.hear(s.ID, s.Type)
	}
	r, err := d.of(s)
	if err == nil && s.ID == "" { // found by its host name
		s.ID, s.IDs = r.Endpoint.ID, []string{r.Endpoint.ID}
	}
	d.merge(s, s.ID, &r, err)
}

// Merge sets the present facts of one endpoint in a sensor; they take precedence over
// those of its event. Facts set by an earlier Merge do not count as the event's own.
func (d *Directory) Merge(ctx context.Context, id string, s *events.Sensor) {
	r, err := d.Find(ctx, id)
	d.merge(s, id, &r, err)
}

// merge adds to the event's own facts those of the record, if there is one.
func (d *Directory) merge(s *events.Sensor, id string, r *Record, err error) {
	s.ForgetGiven()
	if s.Type == "" {
		s.Type = d.heard.of(id)
	}
	s.Tenant = d.cfg.Tenant
	s.Known |= events.FactTenant // a server without the label has none
	s.Given |= events.FactTenant
	s.Pending = 0
	switch {
	case err == nil:
		r.fill(s)
		if r.groupUnread {
			s.Pending = (events.FactGroup | d.bookFacts()) & s.Unknown()
		}
	case errors.Is(err, ErrUnread):
		// The file waits as well: some of its entries may depend on the server's record.
		s.Pending = (events.ServerFacts | d.bookFacts()) & s.Unknown()
	case s.Named() < 2:
		d.byEvent(s).Fill(s)
	}
}

// byEvent are the file's facts of an endpoint without a record on the server.
func (d *Directory) byEvent(s *events.Sensor) *endpoints.Facts {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.book.Facts(endpoints.Subject{Server: s.Server, Hostname: s.Hostname, Group: s.Group, Addresses: endpoints.Addresses([]string{s.InternalIP})})
}

// bookFacts are the facts that a file can set.
func (d *Directory) bookFacts() events.Facts {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.book.Len() == 0 {
		return 0
	}
	return events.FactType | events.FactCriticality | events.FactTags | events.FactLabels
}

// of finds the record of the one endpoint that an event speaks of.
func (d *Directory) of(s *events.Sensor) (Record, error) {
	if s.ID != "" {
		return d.lookup(s.ID)
	}
	if len(s.IDs) > 0 || s.Hostname == "" || s.Named() > 1 {
		return Record{}, edr.ErrUnknownSensor
	}
	if !d.Whole() { // others may have the name too
		return Record{}, ErrUnread
	}
	if found := d.ByHost(s.Hostname); len(found) == 1 {
		return found[0], nil
	}
	return Record{}, edr.ErrUnknownSensor
}

package directory

import (
	"context"
	"errors"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// Fill gives an event of this server the facts of its endpoint. Those that the server
// may know and that could not be read are pending; those that it does not have are
// unknown. An event of several endpoints gets no facts: they may differ.
func (d *Directory) Fill(ctx context.Context, e *events.Event) {
	s := &e.Sensor
	s.Server, s.Tenant = d.cfg.Server.Name(), d.cfg.Tenant
	s.Known |= events.FactTenant // a server without the label has none
	s.Pending = 0
	r, err := d.of(ctx, s)
	switch {
	case err == nil:
		if s.ID == "" { // found by its host name
			s.ID, s.IDs = r.Endpoint.ID, []string{r.Endpoint.ID}
		}
		r.fill(s)
	case errors.Is(err, ErrUnread):
		s.Pending = events.ServerFacts & s.Unknown()
	}
}

// of finds the record of the one endpoint that an event speaks of.
func (d *Directory) of(ctx context.Context, s *events.Sensor) (Record, error) {
	if s.ID != "" {
		return d.Find(ctx, s.ID)
	}
	if len(s.IDs) > 0 || s.Hostname == "" {
		return Record{}, edr.ErrUnknownSensor
	}
	found := d.ByHost(s.Hostname)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && !d.Whole():
		return Record{}, ErrUnread
	}
	return Record{}, edr.ErrUnknownSensor
}

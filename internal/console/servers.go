package console

import (
	"context"
	"errors"
	"fmt"

	"edrpipe/internal/fleet"
	"edrpipe/internal/web"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// endpoint finds the one that a person names: SERVER/ID, or an id or host name that
// exactly one endpoint has.
func (c *Console) endpoint(ctx context.Context, text string) (edr.Endpoint, error) {
	at, err := c.Fleet.FindAmong(ctx, c.members(ctx), text)
	if err != nil {
		return at, errors.Join(web.ErrBadRequest, err)
	}
	return at, nil
}

// selected is endpoint for a list, where an endpoint that no server has any more may
// still have jobs. A bare id is then that of any server.
func (c *Console) selected(ctx context.Context, text string) (edr.Endpoint, error) {
	if text == "" {
		return edr.Endpoint{}, nil
	}
	if at, err := edr.ParseEndpoint(text); err == nil && c.Fleet.Member(at.Server) != nil {
		if found, err := c.Fleet.FindAmong(ctx, c.members(ctx), text); err == nil {
			return found, nil
		}
		return at, nil
	}
	at, err := c.Fleet.FindAmong(ctx, c.members(ctx), text)
	var ambiguous *fleet.Ambiguous
	switch {
	case err == nil:
		return at, nil
	case errors.As(err, &ambiguous):
		return at, errors.Join(web.ErrBadRequest, err)
	}
	return edr.Endpoint{ID: text}, nil
}

// placed gives an event its server and the facts of its endpoint, as the rules see it.
func (c *Console) placed(ctx context.Context, e *events.Event) error { return c.Fleet.Fill(ctx, e) }

// silence says which server does not answer, for a list that is short of its part.
func silence(m *fleet.Member, err error) string {
	return fmt.Sprintf("server %s does not answer: %v", m.Name, err)
}

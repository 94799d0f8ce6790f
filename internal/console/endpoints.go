package console

import (
	"context"
	"errors"
	"net/http"

	"edrpipe/internal/web"
	"edrpipe/pkg/directory"
)

func (c *Console) endpointRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/endpoint", web.Viewer, "The facts of an endpoint, each with its origin, and what was done there", func(r *http.Request, _ struct{}) (web.EndpointPage, error) {
			return c.EndpointPage(r.Context(), r.URL.Query().Get("of"))
		}, "of").ByTenant(),
	}
}

// Endpoint tells what is known of the endpoint that a person names.
func (c *Console) Endpoint(ctx context.Context, text string) (directory.Explained, error) {
	if text == "" {
		return directory.Explained{}, errors.Join(web.ErrBadRequest, errors.New("of is not given: write SERVER/ID, an id or a host name"))
	}
	at, err := c.endpoint(ctx, text)
	if err != nil {
		return directory.Explained{}, err
	}
	m, err := c.Fleet.At(at.Server)
	if err != nil {
		return directory.Explained{}, errors.Join(web.ErrBadRequest, err)
	}
	return m.Directory.Explain(ctx, at.ID)
}

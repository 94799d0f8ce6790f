package console

import (
	"context"
	"net/http"

	"edrpipe/internal/web"
)

func (c *Console) connectionRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/doctor", web.Approver, "Try everything that the configuration names, step by step; it changes nothing", func(r *http.Request, _ struct{}) ([]web.Finding, error) {
			return c.Connection(r.Context())
		}),
	}
}

// Connection tries the configuration against the real world. Those who ask at the same
// time wait for one another: every try opens connections.
func (c *Console) Connection(ctx context.Context) ([]web.Finding, error) {
	select {
	case c.trying <- struct{}{}:
		defer func() { <-c.trying }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	all := []web.Finding{}
	c.Doctor(ctx, func(f web.Finding) { all = append(all, f) })
	return all, context.Cause(ctx)
}

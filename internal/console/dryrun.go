package console

import (
	"context"
	"fmt"
	"net/http"

	"edrpipe/internal/web"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/jobs"
)

func (c *Console) dryRunRoutes() []web.Route {
	return []web.Route{
		web.JSON("POST", "/api/v1/dry-run", web.Approver, "Decide and record everything and act on nothing, on all replicas; or act again", func(r *http.Request, in web.DryRun) (web.Nothing, error) {
			return web.Nothing{}, c.SetDryRun(r.Context(), web.UserOf(r.Context()), in)
		}),
	}
}

// SetDryRun switches all acting to recording only, or back. What the guards file or
// the configuration says cannot be switched off.
func (c *Console) SetDryRun(ctx context.Context, by web.User, in web.DryRun) error {
	if !in.On && c.Guard.Policy().DryRun {
		return fmt.Errorf("%w: dry_run is set in the guards file or in pipeline.yaml: change it there", jobs.ErrRefused)
	}
	on := guard.Area{Server: in.Server, Tenant: in.Tenant}
	if in.On {
		var err error
		if on, err = c.area(in.Switching); err != nil {
			return err
		}
	}
	return notSwitched(c.Guard.SetDryRun(ctx, on, in.On, by.Name, in.Why))
}

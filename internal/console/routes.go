package console

import (
	"slices"

	"edrpipe/internal/web"
)

// Routes are the calls of all pages. Each page lists its own beside its handlers.
func (c *Console) Routes() []web.Route {
	return slices.Concat(
		c.overviewRoutes(), c.jobRoutes(), c.rulesRoutes(), c.sensorRoutes(), c.endpointRoutes(), c.guardsRoutes(), c.dryRunRoutes(),
		c.artifactRoutes(), c.auditRoutes(), c.whyRoutes(), c.eventRoutes(), c.decisionRoutes(), c.deadRoutes(), c.approvalRoutes(), c.connectionRoutes(), c.liveRoutes(), c.quarantineRoutes(),
	)
}

package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"edrpipe/internal/notices"
	"edrpipe/internal/web"
)

func (c *Console) decisionRoutes() []web.Route {
	return []web.Route{
		web.JSON("GET", "/api/v1/decisions", web.Viewer, "Matches of the last day that made no job, counted by rule and reason", func(r *http.Request, _ struct{}) ([]web.Declined, error) {
			return c.Declined(r.Context())
		}).ByTenant(),
	}
}

// mostDeclined bounds the pairs of rule and reason that are listed.
const mostDeclined = 100

// Declined counts the matches of the last day that made no job by rule and reason, the
// most frequent first, as far as the bus keeps them.
func (c *Console) Declined(ctx context.Context) ([]web.Declined, error) {
	type key struct{ rule, reason string }
	counts := map[key]*web.Declined{}
	err := c.decisions(ctx, c.Now().Add(-lately), func(d notices.Decision) {
		k := key{d.Rule, d.Reason}
		if counts[k] == nil {
			counts[k] = &web.Declined{}
		}
		counts[k].Matches++
		counts[k].Last = decisionOf(d)
	})
	all := make([]web.Declined, 0, len(counts))
	for _, d := range counts {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b web.Declined) int {
		return cmp.Or(cmp.Compare(b.Matches, a.Matches), b.Last.At.Compare(a.Last.At), cmp.Compare(a.Last.Rule, b.Last.Rule))
	})
	return all[:min(mostDeclined, len(all))], err
}

package console

import (
	"context"

	"github.com/nats-io/nats.go"

	"edrpipe/internal/web"
)

func (c *Console) liveRoutes() []web.Route {
	return []web.Route{web.Raw("GET", "/api/v1/stream", web.Viewer, web.Stream{Notices: c.Notices, Log: c.Log}).ByTenant()}
}

// Notices calls see with each notice on the bus until ctx ends.
func (c *Console) Notices(ctx context.Context, see func(string, []byte)) error {
	see = c.shown(ctx, see)
	var subs []*nats.Subscription
	defer func() {
		for _, s := range subs {
			_ = s.Unsubscribe() // fails only with the connection, which ends it too
		}
	}()
	for _, subject := range []string{"edr.jobs.>", "edr.results.>"} {
		sub, err := c.Bus.Conn().Subscribe(subject, func(m *nats.Msg) { see(m.Subject, m.Data) })
		if err != nil {
			return err
		}
		subs = append(subs, sub)
	}
	<-ctx.Done()
	return nil
}

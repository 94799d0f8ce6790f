package directory

import (
	"context"

	"edrpipe/pkg/events"
)

// Told returns the facts that are known of at least one endpoint of the server.
func (d *Directory) Told(ctx context.Context) events.Facts {
	d.mu.RLock()
	ids := make([]string, 0, len(d.byID))
	for id := range d.byID {
		ids = append(ids, id)
	}
	d.mu.RUnlock()
	var told events.Facts
	for _, id := range ids {
		if told == events.AllFacts || ctx.Err() != nil {
			break
		}
		var s events.Sensor
		d.Merge(ctx, id, &s)
		told |= events.AllFacts &^ s.Unknown()
	}
	return told
}

package jetstream

import "sync/atomic"

// PublishStats counts what a Publisher did.
type PublishStats struct {
	Published  int64 // confirmed by the stream
	Duplicates int64 // of those, already there
	Failed     int64 // to be delivered again by their source
	Refused    int64 // larger than the bus takes
}

type counters struct{ published, duplicates, failed, refused atomic.Int64 }

func (c *counters) read() PublishStats {
	return PublishStats{c.published.Load(), c.duplicates.Load(), c.failed.Load(), c.refused.Load()}
}

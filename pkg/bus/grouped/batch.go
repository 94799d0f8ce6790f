package grouped

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// Most messages of a batch; the server takes 1,000.
const Most = most

// Costs are what one caller has learnt of the two ways of writing to a stream. The zero
// value has no experience.
type Costs struct{ costs costs }

// Together reports whether one atomic batch is the quicker way to write n messages.
func (c *Costs) Together(n int) bool { return c.costs.together(n) }

// Batch notes how long a batch took as a whole.
func (c *Costs) Batch(d time.Duration) { c.costs.batch.took(d) }

// Singles notes how long n messages took that were under way at once.
func (c *Costs) Singles(n int, d time.Duration) {
	if n > 1 {
		c.costs.single.took(d / time.Duration(n))
	}
}

// Batch stores messages as one atomic batch, in their order. After an APIError of
// JetStream none of them is stored, after another error that is not known. No two may
// have the same message id.
func Batch(ctx context.Context, js jetstream.JetStream, msgs []*nats.Msg) (last uint64, err error) {
	copies := make([]*nats.Msg, len(msgs))
	for i, m := range msgs {
		c := *m
		c.Header = header(m)
		copies[i] = &c
	}
	ack, err := jetstreamext.PublishMsgBatch(ctx, js, copies, jetstreamext.BatchFlowControl{})
	if err != nil {
		return 0, fmt.Errorf("write %d messages together: %w", len(msgs), err)
	}
	return ack.Sequence, nil
}

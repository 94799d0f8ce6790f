// Package ordered reads streams of the bus in their order, without leaving a reader behind
// that cannot be ended.
package ordered

import (
	"cmp"
	"context"

	"github.com/nats-io/nats.go/jetstream"
)

// attempts at making a lost consumer again: about seven seconds in all, which a change of
// leader takes less than.
const attempts = 4

// Consumer makes a consumer that gets the messages of a stream in order. A stream that is
// deleted while it is read ends the reading with an error: without a number of attempts in
// c the client library makes the consumer again without end, and its Next takes no notice
// of its context meanwhile.
func Consumer(ctx context.Context, js jetstream.JetStream, stream string, c jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	c.MaxResetAttempts = cmp.Or(c.MaxResetAttempts, attempts)
	return js.OrderedConsumer(ctx, stream, c)
}

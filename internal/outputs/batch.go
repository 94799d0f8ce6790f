package outputs

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits of one batch. Up to twice as much is taken where messages come in quicker than
// they are read.
const (
	batchMessages = 500
	batchBytes    = 2 << 20
	together      = 20 * time.Millisecond // how long a batch waits for its next message
)

// batch waits for a message and takes what comes with it, in the order of the stream. If
// ctx ends first, what was under way is given back: the server holds it for delivered, and
// would send it again only after ackWait.
func batch(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(batchMessages, batchBytes))
	if err != nil {
		return nil, err
	}
	some, err := gather(ctx, messages)
	messages.Drain()
	for {
		m, ended := messages.Next()
		if ended != nil {
			break
		}
		some = append(some, m)
	}
	if ctx.Err() != nil {
		for _, m := range some {
			_ = m.Nak() // else it comes again after ackWait
		}
		return nil, context.Cause(ctx)
	}
	if len(some) > 0 {
		return some, nil // an error that lasts comes again
	}
	return nil, err
}

// gather reads until a batch is full, nothing more comes, or reading fails.
func gather(ctx context.Context, messages jetstream.MessagesContext) (some []jetstream.Msg, err error) {
	m, err := messages.Next(jetstream.NextContext(ctx))
	for size := 0; err == nil; m, err = messages.Next(jetstream.NextMaxWait(together)) {
		some = append(some, m)
		if size += len(m.Data()); size >= batchBytes || len(some) >= batchMessages {
			break
		}
	}
	return some, err
}

package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/ordered"
)

// eachBytes bounds the messages in flight; a record has up to 1 MiB.
const eachBytes = 4 << 20

// Each visits the messages in a stream at this moment, in order, without the markers of
// deleted keys. It ends at the first error of visit.
func Each(ctx context.Context, js jetstream.JetStream, stream string, visit func(jetstream.Msg, *jetstream.MsgMetadata) error) error {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	last := s.CachedInfo().State.LastSeq
	if s.CachedInfo().State.Msgs == 0 {
		return nil
	}
	consumer, err := ordered.Consumer(ctx, js, stream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: 10 * time.Second})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxBytes(eachBytes))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if !isMarker(m) {
			if err := visit(m, meta); err != nil {
				return err
			}
		}
		if meta.NumPending == 0 || meta.Sequence.Stream >= last {
			return nil
		}
	}
}

// isMarker reports whether a message only records that a key was deleted.
func isMarker(m jetstream.Msg) bool {
	return IsMarker(m.Headers())
}

// IsMarker reports whether a message with these headers only records that a key was
// deleted.
func IsMarker(h nats.Header) bool { return h["KV-Operation"] != nil || h["Nats-Marker-Reason"] != nil }

package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// OrderedConsumer implements jetstream.StreamConsumerManager.
func (b bounded) OrderedConsumer(ctx context.Context, stream string, c jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	consumer, err := b.JetStream.OrderedConsumer(ctx, stream, c)
	if err != nil {
		return nil, err
	}
	return boundedConsumer{consumer, b.within}, nil
}

// OrderedConsumer implements jetstream.Stream.
func (b boundedStream) OrderedConsumer(ctx context.Context, c jetstream.OrderedConsumerConfig) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	consumer, err := b.Stream.OrderedConsumer(ctx, c)
	if err != nil {
		return nil, err
	}
	return boundedConsumer{consumer, b.within}, nil
}

// boundedConsumer is an ordered consumer of which each question ends in time: the client
// library bounds those of all other consumers.
type boundedConsumer struct {
	jetstream.Consumer
	within time.Duration
}

// Info implements jetstream.Consumer.
func (b boundedConsumer) Info(ctx context.Context) (*jetstream.ConsumerInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Consumer.Info(ctx)
}

// WatchAll implements jetstream.KeyValue. Only its beginning is bounded.
func (b boundedKV) WatchAll(ctx context.Context, opts ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	return b.Watch(ctx, jetstream.AllKeys, opts...)
}

// Watch implements jetstream.KeyValue. Only its beginning is bounded.
func (b boundedKV) Watch(ctx context.Context, keys string, opts ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	watching, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(b.within, cancel)
	watcher, err := b.KeyValue.Watch(watching, keys, opts...)
	if inTime := late.Stop(); !inTime && ctx.Err() == nil {
		err = fmt.Errorf("watch bucket %s: %w", b.Bucket(), context.DeadlineExceeded)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return boundedWatcher{watcher, cancel}, nil
}

// boundedWatcher ends its context with it.
type boundedWatcher struct {
	jetstream.KeyWatcher
	cancel context.CancelFunc
}

// Stop implements jetstream.KeyWatcher.
func (w boundedWatcher) Stop() error {
	defer w.cancel()
	return w.KeyWatcher.Stop()
}

package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// answerWithin is how long an answer of the bus is waited for. One that was lost
// with a connection never comes, and the client library would wait for as long as
// the caller's context lasts: for a job's, hours, in which its sensor is blocked.
const answerWithin = 5 * time.Second

// bounded is JetStream where each request of ours ends in time, and it is noted how
// writes end. What reads many messages has bounds of its own.
type bounded struct {
	jetstream.JetStream
	within time.Duration
	writes *writes
}

// PublishMsg implements jetstream.Publisher.
func (b bounded) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	ack, err := b.JetStream.PublishMsg(ctx, m, opts...)
	b.writes.published(m.Subject, err)
	return ack, err
}

// Publish implements jetstream.Publisher.
func (b bounded) Publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	ack, err := b.JetStream.Publish(ctx, subject, data, opts...)
	b.writes.published(subject, err)
	return ack, err
}

// Wrote notes how a batch of messages has ended, by the subject of one.
func (b bounded) Wrote(subject string, err error) { b.writes.published(subject, err) }

// Stream implements jetstream.StreamManager.
func (b bounded) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	stream, err := b.JetStream.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return boundedStream{stream, b.within}, nil
}

// KeyValue implements jetstream.KeyValueManager.
func (b bounded) KeyValue(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	kv, err := b.JetStream.KeyValue(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return boundedKV{kv, b.within, b.writes}, nil
}

// boundedKV is a bucket where each read and write of one key ends in time.
type boundedKV struct {
	jetstream.KeyValue
	within time.Duration
	writes *writes
}

func (b boundedKV) note(err error) { b.writes.note("KV_"+b.Bucket(), err) }

// Get implements jetstream.KeyValue.
func (b boundedKV) Get(ctx context.Context, key string) (jetstream.KeyValueEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.KeyValue.Get(ctx, key)
}

// Put implements jetstream.KeyValue.
func (b boundedKV) Put(ctx context.Context, key string, value []byte) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	revision, err := b.KeyValue.Put(ctx, key, value)
	b.note(err)
	return revision, err
}

// Create implements jetstream.KeyValue.
func (b boundedKV) Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	revision, err := b.KeyValue.Create(ctx, key, value, opts...)
	b.note(err)
	return revision, err
}

// Update implements jetstream.KeyValue.
func (b boundedKV) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	next, err := b.KeyValue.Update(ctx, key, value, revision)
	b.note(err)
	return next, err
}

// Delete implements jetstream.KeyValue.
func (b boundedKV) Delete(ctx context.Context, key string, opts ...jetstream.KVDeleteOpt) error {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	err := b.KeyValue.Delete(ctx, key, opts...)
	b.note(err)
	return err
}

// Purge implements jetstream.KeyValue.
func (b boundedKV) Purge(ctx context.Context, key string, opts ...jetstream.KVDeleteOpt) error {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	err := b.KeyValue.Purge(ctx, key, opts...)
	b.note(err)
	return err
}

// boundedStream is a stream of which each question ends in time.
type boundedStream struct {
	jetstream.Stream
	within time.Duration
}

// Info implements jetstream.Stream.
func (b boundedStream) Info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Stream.Info(ctx, opts...)
}

// GetMsg implements jetstream.Stream.
func (b boundedStream) GetMsg(ctx context.Context, seq uint64, opts ...jetstream.GetMsgOpt) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Stream.GetMsg(ctx, seq, opts...)
}

// GetLastMsgForSubject implements jetstream.Stream.
func (b boundedStream) GetLastMsgForSubject(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Stream.GetLastMsgForSubject(ctx, subject)
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Setup creates the streams and buckets that are missing and brings the limits
// of those that exist up to date. It can be run at every start, by every replica,
// and again after an error.
func (b *Bus) Setup(ctx context.Context) error {
	for _, c := range b.streams() {
		create := func(ctx context.Context) error { _, err := b.js.CreateStream(ctx, c); return err }
		if err := b.ensure(ctx, c, create); err != nil {
			return fmt.Errorf("stream %s: %w", c.Name, err)
		}
	}
	for _, c := range b.buckets() {
		create := func(ctx context.Context) error { _, err := b.js.CreateKeyValue(ctx, c); return err }
		want := jetstream.StreamConfig{Name: "KV_" + c.Bucket, MaxAge: c.TTL, Replicas: c.Replicas, AllowAtomicPublish: true}
		if err := b.ensure(ctx, want, create); err != nil {
			return fmt.Errorf("bucket %s: %w", c.Bucket, err)
		}
	}
	c := jetstream.ObjectStoreConfig{Bucket: BucketArtifacts, Description: "collected files", Replicas: b.replicas, MaxBytes: b.limits.ArtifactBytes}
	create := func(ctx context.Context) error { _, err := b.js.CreateObjectStore(ctx, c); return err }
	if err := b.ensure(ctx, jetstream.StreamConfig{Name: "OBJ_" + c.Bucket, MaxBytes: c.MaxBytes, Replicas: c.Replicas}, create); err != nil {
		return fmt.Errorf("object store %s: %w", BucketArtifacts, err)
	}
	return b.ensureReaders(ctx)
}

// ensureReaders makes the pull consumers by which other zones read results. They are
// made here because a client that may make a consumer of its own can have it publish
// to any subject of this account.
func (b *Bus) ensureReaders(ctx context.Context) error {
	for _, name := range b.readers {
		_, err := b.js.CreateOrUpdateConsumer(ctx, StreamResults, jetstream.ConsumerConfig{
			Durable: name, Description: "reader of results", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1000,
		})
		if err != nil {
			return fmt.Errorf("reader %s of stream %s: %w", name, StreamResults, err)
		}
	}
	return nil
}

// A cluster does not answer a request if another replica sends the same one at that
// moment. So a request without an answer is followed by a look at the stream.
const (
	lookAgain   = time.Second
	setUpWithin = 15 * time.Second
)

// ensure has a stream with the wanted limits: made by create where it is missing.
// Whatever else others have set on it stays, as the scheduler does with its bucket.
func (b *Bus) ensure(ctx context.Context, want jetstream.StreamConfig, create func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, setUpWithin)
	defer cancel()
	for {
		stream, err := within(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.Stream(ctx, want.Name) })
		switch {
		case err == nil:
			return b.adjust(ctx, stream.CachedInfo().Config, want)
		case errors.Is(err, jetstream.ErrStreamNotFound):
			_, err = within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, create(ctx) })
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, jetstream.ErrBucketExists) {
				err = nil // another replica was quicker, and has changed it already
			}
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return err
		}
	}
}

func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	return ask(ctx)
}

// adjust brings the limits of a stream up to date.
func (b *Bus) adjust(ctx context.Context, is, want jetstream.StreamConfig) error {
	next := is
	next.MaxAge, next.Replicas = want.MaxAge, want.Replicas
	next.AllowAtomicPublish = is.AllowAtomicPublish || want.AllowAtomicPublish
	next.AllowDirect = is.AllowDirect || want.AllowDirect
	if want.MaxBytes != 0 {
		next.MaxBytes = want.MaxBytes
	}
	if want.Subjects != nil {
		next.Subjects, next.Duplicates = want.Subjects, want.Duplicates
	}
	if sameLimits(is, next) {
		return nil
	}
	if want.Name == StreamAudit {
		return b.adjustAudit(ctx, next)
	}
	_, err := b.js.UpdateStream(ctx, next)
	return err
}

// adjustAudit changes the audit stream where the bus allows it. The shipped accounts
// do not: a service that is in wrong hands must not shrink its own audit.
func (b *Bus) adjustAudit(ctx context.Context, next jetstream.StreamConfig) error {
	_, err := within(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.UpdateStream(ctx, next) })
	if err != nil && ctx.Err() == nil {
		b.log.Warn().Err(err).Int("replicas", next.Replicas).Int64("max_bytes", next.MaxBytes).
			Msg("stream AUDIT keeps its limits: the bus did not let this user change them. Change them with another credential (docs/security.md)")
		return nil
	}
	return err
}

func sameLimits(a, b jetstream.StreamConfig) bool {
	return a.MaxAge == b.MaxAge && a.MaxBytes == b.MaxBytes && a.Replicas == b.Replicas && a.Duplicates == b.Duplicates &&
		a.AllowAtomicPublish == b.AllowAtomicPublish && a.AllowDirect == b.AllowDirect && fmt.Sprint(a.Subjects) == fmt.Sprint(b.Subjects)
}

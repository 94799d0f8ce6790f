package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Setup creates the streams and buckets that are missing and brings the limits
// of those that exist up to date. It can be run at every start, by every replica,
// and again after an error.
func (b *Bus) Setup(ctx context.Context) error {
	_, err := b.Reconcile(ctx, func(Change) bool { return true })
	return err
}

// Change is what has to be done to a stream, or to the one below a bucket, so that it
// is as this service makes it.
type Change struct {
	Stream string
	Made   bool   // it was missing
	What   string // of one that is there: what differs
}

// String names the stream and what was done to it.
func (c Change) String() string {
	if c.Made {
		return c.Stream + " was missing"
	}
	return c.Stream + " differed: " + c.What
}

// Reconcile makes what is missing and sets back what differs, and returns what it
// has changed. A stream that differs and that mend does not allow to be changed is an
// error of type *StreamError, as is one that cannot be changed; the others are looked
// at all the same, unless the bus does not answer.
func (b *Bus) Reconcile(ctx context.Context, mend func(Change) bool) ([]Change, error) {
	var changes []Change
	var errs []error
	for _, p := range b.parts() {
		did, err := b.ensure(ctx, p, mend)
		if did != nil {
			changes = append(changes, *did)
		}
		if err != nil {
			errs = append(errs, &StreamError{p.want.Name, err})
		}
		if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 0 {
		errs = append(errs, b.ensureReaders(ctx))
	}
	return changes, errors.Join(errs...)
}

// StreamError is why a stream is not as this service makes it.
type StreamError struct {
	Stream string
	Err    error
}

func (e *StreamError) Error() string { return "stream " + e.Stream + ": " + e.Err.Error() }

func (e *StreamError) Unwrap() error { return e.Err }

// part is a stream of ours and how it is made.
type part struct {
	want   jetstream.StreamConfig
	create func(context.Context) error
}

// parts are all streams, also those below buckets.
func (b *Bus) parts() []part {
	var all []part
	for _, c := range b.streams() {
		all = append(all, part{c, func(ctx context.Context) error { _, err := b.js.CreateStream(ctx, c); return err }})
	}
	for _, c := range b.buckets() {
		want := jetstream.StreamConfig{Name: "KV_" + c.Bucket, MaxAge: c.TTL, MaxBytes: c.MaxBytes, Replicas: c.Replicas, AllowAtomicPublish: true}
		all = append(all, part{want, func(ctx context.Context) error { return b.createBucket(ctx, c, want) }})
	}
	c := jetstream.ObjectStoreConfig{Bucket: BucketArtifacts, Description: "collected files", Replicas: b.replicas, MaxBytes: b.limits.ArtifactBytes}
	want := jetstream.StreamConfig{Name: "OBJ_" + c.Bucket, MaxBytes: c.MaxBytes, Replicas: c.Replicas, Discard: jetstream.DiscardNew}
	return append(all, part{want, func(ctx context.Context) error { _, err := b.js.CreateObjectStore(ctx, c); return err }})
}

// createBucket makes a bucket. One with a bound drops its oldest records there, where the
// client library has it refuse new ones.
func (b *Bus) createBucket(ctx context.Context, c jetstream.KeyValueConfig, want jetstream.StreamConfig) error {
	kv, err := b.js.CreateKeyValue(ctx, c)
	if err != nil || c.MaxBytes == 0 {
		return err
	}
	stream, err := b.js.Stream(ctx, "KV_"+kv.Bucket())
	if err != nil {
		return err
	}
	next := stream.CachedInfo().Config
	next.Discard = want.Discard
	_, err = b.js.UpdateStream(ctx, next)
	return err
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
// What it did is nil where there was nothing to do.
func (b *Bus) ensure(ctx context.Context, p part, mend func(Change) bool) (did *Change, err error) {
	ctx, cancel := context.WithTimeout(ctx, setUpWithin)
	defer cancel()
	for {
		stream, err := within(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.Stream(ctx, p.want.Name) })
		switch {
		case err == nil:
			changed, err := b.adjust(ctx, stream.CachedInfo().Config, p.want, mend)
			if did == nil {
				did = changed
			}
			return did, err
		case errors.Is(err, jetstream.ErrStreamNotFound):
			made := Change{Stream: p.want.Name, Made: true}
			if !mend(made) {
				return did, errors.New("it is missing again and again: another client deletes it")
			}
			_, err = within(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, p.create(ctx) })
			if err == nil {
				did = &made
			}
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || errors.Is(err, jetstream.ErrBucketExists) {
				err = nil // another replica was quicker, and has changed it already
			}
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return did, err
		}
	}
}

func within[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, lookAgain)
	defer cancel()
	return ask(ctx)
}

// adjust brings the limits of a stream up to date.
func (b *Bus) adjust(ctx context.Context, is, want jetstream.StreamConfig, mend func(Change) bool) (*Change, error) {
	if is.Sealed {
		return nil, errors.New("it is sealed and stores no writes, which cannot be undone. Copy it, delete it and restart")
	}
	next := is
	next.MaxAge, next.Replicas, next.NoAck = want.MaxAge, want.Replicas, false
	next.AllowAtomicPublish = is.AllowAtomicPublish || want.AllowAtomicPublish
	next.AllowDirect = is.AllowDirect || want.AllowDirect
	next.AllowMsgTTL = is.AllowMsgTTL || want.AllowMsgTTL
	if want.MaxBytes != 0 {
		next.MaxBytes, next.Discard = want.MaxBytes, want.Discard
	}
	if want.Subjects != nil {
		if is.Retention != want.Retention {
			return nil, fmt.Errorf("its retention is %s and has to be %s, which only a new stream can have: copy it, delete it and restart", is.Retention, want.Retention)
		}
		next.Subjects, next.Duplicates = want.Subjects, want.Duplicates
		next.Discard, next.MaxMsgs, next.MaxMsgsPerSubject, next.MaxMsgSize = want.Discard, -1, cmp.Or(want.MaxMsgsPerSubject, -1), -1
	}
	what := differences(is, next)
	if what == "" {
		return nil, nil
	}
	did := &Change{Stream: want.Name, What: what}
	if !mend(*did) {
		return nil, fmt.Errorf("another client changes it again and again, or replicas are configured differently: %s", what)
	}
	if want.Name == StreamAudit {
		return b.adjustAudit(ctx, next, did)
	}
	if _, err := b.js.UpdateStream(ctx, next); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return did, nil
}

// adjustAudit changes the audit stream where the bus allows it. The shipped accounts
// do not: a service that is in wrong hands must not shrink its own audit.
func (b *Bus) adjustAudit(ctx context.Context, next jetstream.StreamConfig, did *Change) (*Change, error) {
	_, err := within(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.UpdateStream(ctx, next) })
	if err == nil {
		return did, nil
	}
	if ctx.Err() == nil && !b.auditKept.Swap(true) {
		b.log.Warn().Err(err).Int("replicas", next.Replicas).Int64("max_bytes", next.MaxBytes).
			Msg("stream AUDIT keeps its limits: the bus did not let this user change them. Change them with another credential (docs/security.md)")
	}
	return nil, ctx.Err()
}

// differences names what is not as it should be; empty: nothing.
func differences(is, want jetstream.StreamConfig) string {
	var all []string
	add := func(name string, is, want any) {
		if fmt.Sprint(is) != fmt.Sprint(want) {
			all = append(all, fmt.Sprintf("%s is %v and has to be %v", name, is, want))
		}
	}
	add("max_age", is.MaxAge, want.MaxAge)
	add("max_bytes", is.MaxBytes, want.MaxBytes)
	add("max_msgs", is.MaxMsgs, want.MaxMsgs)
	add("max_msgs_per_subject", is.MaxMsgsPerSubject, want.MaxMsgsPerSubject)
	add("max_msg_size", is.MaxMsgSize, want.MaxMsgSize)
	add("num_replicas", is.Replicas, want.Replicas)
	add("duplicate_window", is.Duplicates, want.Duplicates)
	add("subjects", is.Subjects, want.Subjects)
	add("discard", is.Discard, want.Discard)
	add("no_ack", is.NoAck, want.NoAck)
	add("allow_atomic", is.AllowAtomicPublish, want.AllowAtomicPublish)
	add("allow_msg_ttl", is.AllowMsgTTL, want.AllowMsgTTL)
	add("allow_direct", is.AllowDirect, want.AllowDirect)
	return strings.Join(all, ", ")
}

package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/ordered"
	"edrpipe/internal/pace"
	"edrpipe/pkg/shares"
)

// headerOwner is the header of a record with its owner, as JSON.
const headerOwner = "Edrpipe-Owner"

// owned is the value of that header. Control characters are escaped: it is text of an event.
type owned struct {
	shares.Owner
	Together bool `json:"together,omitempty"`
}

func setOwner(h nats.Header, of shares.Record) {
	text, _ := json.Marshal(owned{of.Owner, of.Together}) // texts and a truth value always can be
	h.Set(headerOwner, string(text))
}

// ownerIn reads the owner of a record; zero: it has none.
func ownerIn(h nats.Header, key string) shares.Record {
	var o owned
	if err := json.Unmarshal([]byte(h.Get(headerOwner)), &o); err != nil {
		return shares.Record{Key: key}
	}
	return shares.Record{Key: key, Owner: o.Owner, Together: o.Together}
}

const (
	sharedRecords = "rules." // the keys that are counted begin so
	followAgain   = time.Second
	resetAttempts = 2 // of a consumer that is lost; then all is counted anew
	syncWithin    = 10 * time.Second
)

// errNotCounted is the error of a new record while it is not known how many there are.
var errNotCounted = errors.New("the records that exist are not counted yet")

// reserve asks the shares for a new record's room, once they have every record there is.
func (r *Records) reserve(ctx context.Context, of shares.Record, ttl time.Duration) error {
	if r.Shares == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, syncWithin, errNotCounted)
	defer cancel()
	select {
	case <-r.sync():
	case <-ctx.Done():
		return fmt.Errorf("record %s: %w", of.Key, context.Cause(ctx))
	}
	return r.Shares.Reserve(of, time.Now().Add(lifetime(ttl)))
}

// sync is closed while all records are counted.
func (r *Records) sync() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.synced == nil {
		r.synced = make(chan struct{})
	}
	return r.synced
}

// unsynced has new records wait until all are counted anew.
func (r *Records) unsynced() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.synced == nil {
		return
	}
	select {
	case <-r.synced:
		r.synced = nil
	default: // those that wait go on waiting
	}
}

// Follow keeps Shares current until ctx ends. Without the bus it tries again.
func (r *Records) Follow(ctx context.Context) {
	for {
		err := r.follow(ctx)
		r.unsynced()
		if ctx.Err() != nil {
			return
		}
		r.Bus.log.Warn().Err(err).Msg("the records of suppression and correlation cannot be counted: no new one is made until they are")
		if pace.Sleep(ctx, followAgain) != nil {
			return
		}
	}
}

func (r *Records) follow(ctx context.Context) error {
	prefix := r.subject("")
	consumer, err := ordered.Consumer(ctx, r.Bus.js, "KV_"+r.Bucket, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{prefix + sharedRecords + ">"}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, HeadersOnly: true,
		MaxResetAttempts: resetAttempts,
	})
	if err != nil {
		return fmt.Errorf("follow bucket %s: %w", r.Bucket, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return fmt.Errorf("follow bucket %s: %w", r.Bucket, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("follow bucket %s: %w", r.Bucket, err)
	}
	defer messages.Stop()
	r.Shares.Reset()
	for n := uint64(0); ; n++ {
		if n == info.NumPending {
			close(r.sync())
		}
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow bucket %s: %w", r.Bucket, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("follow bucket %s: %w", r.Bucket, err)
		}
		r.see(m, meta, strings.TrimPrefix(m.Subject(), prefix))
	}
}

// see counts what a message says of a record.
func (r *Records) see(m jetstream.Msg, meta *jetstream.MsgMetadata, key string) {
	if isMarker(m) {
		r.Shares.Gone(key)
		return
	}
	var until time.Time
	if ttl, err := time.ParseDuration(m.Headers().Get(jetstream.MsgTTLHeader)); err == nil {
		until = meta.Timestamp.Add(ttl)
	}
	r.Shares.See(ownerIn(m.Headers(), key), until)
}

package service

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// kvState is rules.State on a bucket: suppression keys and correlation windows,
// shared by all replicas, that the bus forgets when they expire.
type kvState struct {
	js     jetstream.JetStream
	bucket jetstream.KeyValue
}

// Update implements rules.State by compare-and-set. It writes to the bucket's
// stream itself, because an update through the bucket would lose the time to live.
func (s kvState) Update(ctx context.Context, key string, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	key = "rules." + key
	for {
		old, revision, err := s.get(ctx, key)
		if err != nil {
			return fmt.Errorf("state %s: %w", key, err)
		}
		data, err := change(old)
		if err != nil {
			return err
		}
		if data == nil {
			err = s.bucket.Delete(ctx, key, jetstream.LastRevision(revision))
		} else {
			err = s.put(ctx, key, data, ttl, revision)
		}
		var api *jetstream.APIError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence:
			if ctx.Err() != nil {
				return ctx.Err()
			}
		default:
			return fmt.Errorf("state %s: %w", key, err)
		}
	}
}

// get returns a record, and the revision to replace also of one that is gone.
func (s kvState) get(ctx context.Context, key string) ([]byte, uint64, error) {
	e, err := s.bucket.Get(ctx, key)
	var gone *jetstream.APIError
	switch {
	case err == nil:
		return e.Value(), e.Revision(), nil
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, err
	}
	// A marker of what was deleted or has expired still holds the subject's sequence.
	stream, err := s.js.Stream(ctx, "KV_"+s.bucket.Bucket())
	if err != nil {
		return nil, 0, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, s.subject(key))
	if errors.Is(err, jetstream.ErrMsgNotFound) || errors.As(err, &gone) && gone.Code == 404 {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return nil, m.Sequence, nil
}

func (s kvState) put(ctx context.Context, key string, data []byte, ttl time.Duration, revision uint64) error {
	msg := nats.NewMsg(s.subject(key))
	msg.Data = data
	msg.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(max(1, int((ttl+time.Second-1)/time.Second)))+"s")
	_, err := s.js.PublishMsg(ctx, msg, jetstream.WithExpectLastSequencePerSubject(revision))
	return err
}

func (s kvState) subject(key string) string { return "$KV." + s.bucket.Bucket() + "." + key }

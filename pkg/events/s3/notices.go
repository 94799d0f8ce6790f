package s3

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"edrpipe/internal/pace"
)

// A Queue holds a bucket's notices about new objects. A message that is received is
// hidden from others for Hidden; what is not deleted comes again after that.
type Queue interface {
	// Receive blocks until there are messages, or for some seconds.
	Receive(ctx context.Context) ([]Notice, error)
	// Extend hides a message for another Hidden.
	Extend(ctx context.Context, receipt string) error
	Delete(ctx context.Context, receipt string) error
}

// Hidden is for how long a received message is hidden from other readers.
const Hidden = 2 * time.Minute

// A Notice is one message of a Queue.
type Notice struct {
	Body    string
	Receipt string // names this receipt of the message, for Extend and Delete
}

// notice is the body of a message: what S3 sends, or that within a message of SNS.
type notice struct {
	Event   string `json:"Event"` // s3:TestEvent, without records
	Records []struct {
		Event string `json:"eventName"`
		S3    struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key string `json:"key"` // URL-encoded
			} `json:"object"`
		} `json:"s3"`
	} `json:"Records"`
	Type    string `json:"Type"` // Notification: Message is a notice, as text
	Message string `json:"Message"`
}

// announced returns the keys of the objects that a message announces for this source.
// ours is false for a message that is none of this source's: it stays in the queue.
func (r *reader) announced(body string) (keys []string, ours bool) {
	var n notice
	if json.Unmarshal([]byte(body), &n) != nil {
		return nil, false
	}
	if n.Type == "Notification" && len(n.Records) == 0 {
		text := n.Message
		if n = (notice{}); json.Unmarshal([]byte(text), &n) != nil {
			return nil, false
		}
	}
	if n.Event == "s3:TestEvent" {
		return nil, true
	}
	for _, rec := range n.Records {
		key, err := url.QueryUnescape(rec.S3.Object.Key)
		if err != nil || rec.S3.Bucket.Name != r.Bucket || !strings.HasPrefix(key, r.Prefix) {
			continue
		}
		ours = true
		if strings.Contains(rec.Event, "ObjectCreated:") && key != "" && !strings.HasSuffix(key, "/") {
			keys = append(keys, key)
		}
	}
	return keys, ours
}

// receive reads the objects that the queue's next messages announce. A message is
// deleted once all its objects are read, and that is stored.
func (r *reader) receive(ctx context.Context) error {
	messages, err := r.Queue.Receive(ctx)
	if err != nil {
		return err
	}
	for _, m := range messages {
		keys, ours := r.announced(m.Body)
		if !ours {
			r.foreign.Do(func() {
				r.Log.Warn().Str("source", r.Name()).Msg("queue has messages that are no notices of this bucket and prefix; they are left in it: give the source a queue of its own, with a dead-letter queue")
			})
			continue
		}
		if err := r.deliver(ctx, m, keys); err != nil {
			return err
		}
	}
	return nil
}

// deliver reads the objects of one message and deletes it.
func (r *reader) deliver(ctx context.Context, m Notice, keys []string) error {
	stop := r.extend(ctx, m)
	defer stop()
	for _, key := range keys {
		o, err := r.Client.StatObject(ctx, r.Bucket, key, minio.StatObjectOptions{})
		switch {
		case gone(err):
			r.Log.Info().Str("object", key).Msg("announced object is gone from the bucket")
			continue
		case err != nil:
			return err // the message comes again
		case r.progress.done(o):
			continue
		}
		if err := r.object(ctx, o); err != nil {
			return err
		}
	}
	if err := r.progress.save(r.Place); err != nil {
		return err
	}
	if err := r.Queue.Delete(ctx, m.Receipt); err != nil {
		r.Log.Debug().Err(err).Msg("notice was not deleted and will come again")
	}
	return nil
}

// gone reports whether the object does not exist any more.
func gone(err error) bool {
	if err == nil {
		return false
	}
	e := minio.ToErrorResponse(err)
	return e.StatusCode == http.StatusNotFound && e.Code != "NoSuchBucket"
}

// extend keeps a message hidden until stop is called.
func (r *reader) extend(ctx context.Context, m Notice) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for pace.Sleep(ctx, Hidden/3) == nil {
			if err := r.Queue.Extend(ctx, m.Receipt); err != nil && ctx.Err() == nil {
				r.Log.Debug().Err(err).Msg("notice is not hidden any longer, and may be read twice")
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// notices reads what the queue announces until the next look at the whole bucket is due.
func (r *reader) notices(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for ctx.Err() == nil {
		err := r.receive(ctx)
		var final *handlerError
		switch {
		case errors.As(err, &final):
			return err
		case err != nil && ctx.Err() == nil:
			r.Log.Warn().Err(err).Str("source", r.Name()).Dur("again_in", r.Retry).Msg("notices of new objects cannot be read; the bucket is still listed at each poll")
			if pace.Sleep(ctx, r.Retry) != nil {
				return nil
			}
		}
	}
	return nil
}

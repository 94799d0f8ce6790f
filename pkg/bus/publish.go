package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"edrpipe/internal/conflict"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/pace"
)

// A Notice is a message to consumers: a CloudEvent in structured JSON form.
type Notice struct {
	Subject string // on the bus
	ID      string // unique for its source; a repeated id is a repeated notice
	Type    string // edrpipe.job.result.v1 and the like
	Source  string // edrpipe/<EDR server>
	About   string // the CloudEvent's subject: job/<id>
	Time    time.Time
	Data    any // becomes JSON
}

// Publish publishes a notice and blocks until the stream has stored it. A notice with
// the same ID within the duplicate window is not stored again.
func (b *Bus) Publish(ctx context.Context, n Notice) error {
	return b.publish(ctx, n, jetstream.MsgIDHeader, n.ID)
}

// PublishOnce puts a notice on the bus unless its subject holds one already,
// however long ago. Where another replica's is just being agreed on it waits to
// see what comes of that.
func (b *Bus) PublishOnce(ctx context.Context, n Notice) error {
	for {
		err := b.publish(ctx, n, jetstream.ExpectedLastSubjSeqHeader, "0")
		switch {
		case err == nil || conflict.Is(err) && !conflict.UnderWay(err):
			return nil
		case !conflict.UnderWay(err):
			return err
		}
		if pace.Sleep(ctx, 20*time.Millisecond) != nil {
			return err
		}
	}
}

// publish writes a notice with a header; those that come at once are written together.
func (b *Bus) publish(ctx context.Context, n Notice, header, value string) error {
	body, err := n.encode()
	if err != nil {
		return fmt.Errorf("notice for %s: %w", n.Subject, err)
	}
	msg := nats.NewMsg(n.Subject)
	msg.Data = body
	msg.Header.Set("Content-Type", "application/cloudevents+json")
	msg.Header.Set(header, value)
	w := b.results
	if strings.HasPrefix(n.Subject, "edr.jobs.") {
		w = b.life
	}
	if _, err := w.Write(ctx, msg); err != nil {
		return fmt.Errorf("publish on %s: %w", n.Subject, err)
	}
	return nil
}

func (n Notice) encode() ([]byte, error) {
	e := event.New()
	e.SetID(n.ID)
	e.SetType(n.Type)
	e.SetSource(n.Source)
	e.SetSubject(n.About)
	e.SetTime(n.Time)
	data, err := plain(n.Data)
	if err != nil {
		return nil, err
	}
	e.SetDataContentType(event.ApplicationJSON)
	e.DataEncoded = data // SetData would encode it once more
	return plain(e)
}

// plain encodes a value with the characters & < > as they are: a notice is no web page,
// and command lines are full of them.
func plain(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Token makes text safe as one token of a subject: what NATS gives a meaning to
// becomes "_".
func Token(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '.' || r == '*' || r == '>' || r <= ' ' || r == 0x7f:
			return '_'
		}
		return r
	}, s)
}

// Key makes text safe as one part of a key of a bucket, which takes less than a subject:
// what is no letter, digit, "-", "_", "/" or "=" of ASCII becomes "_".
func Key(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_/=", r) {
			return r
		}
		return '_'
	}, s)
}

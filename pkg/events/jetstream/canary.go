package jetstream

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/pkg/events"
)

// A canary is a message among the events that shows that they are read: it passes the
// same stream, consumer and intake, and no rule of people sees it. Its body holds
// nothing but its name, so that no event can pass for one.
type canary struct {
	ID string `json:"edrpipe_canary"`
}

// canaryStart is how the body of every canary begins.
var canaryStart = []byte(`{"edrpipe_canary":"`)

// canaryLives is how long the bus keeps one.
const canaryLives = 10 * time.Minute

// CanaryID returns the name of a canary; ok is false of every other message.
func CanaryID(m *events.Message) (id string, ok bool) {
	if !bytes.HasPrefix(m.Body, canaryStart) {
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(m.Body))
	d.DisallowUnknownFields()
	var c canary
	if d.Decode(&c) != nil || d.More() || c.ID == "" {
		return "", false
	}
	same, err := json.Marshal(c)
	return c.ID, err == nil && bytes.Equal(same, m.Body)
}

// EncodeCanary makes the message of a canary for a reader of the filter's subjects.
// It leaves the stream by itself.
func EncodeCanary(filter, id string) (*nats.Msg, error) {
	body, err := json.Marshal(canary{id})
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(canarySubject(filter))
	m.Data = body
	m.Header.Set(HeaderMessageID, "canary/"+id)
	m.Header.Set(natsjs.MsgTTLHeader, canaryLives.String())
	return m, nil
}

// canarySubject is a subject that the filter selects.
func canarySubject(filter string) string {
	words := strings.Split(filter, ".")
	for i, w := range words {
		if w == "*" || w == ">" {
			words[i] = "_canary"
		}
	}
	return strings.Join(words, ".")
}

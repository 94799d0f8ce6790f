package http

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/batch"
)

// protocol is what a client speaks: how its bodies hold events and what answers
// it expects.
type protocol interface {
	// messages takes a body apart. The id is the same when the post comes again.
	messages(r *http.Request, body []byte) ([]events.Message, postID, error)
	// describe is what the answer says of messages that are safe.
	describe([]events.Message) accepted
	accepted(w http.ResponseWriter, a accepted)
	refused(w http.ResponseWriter, no *refusal)
}

// plain is everything but Splunk's protocol.
type plain struct{}

func (plain) messages(r *http.Request, body []byte) ([]events.Message, postID, error) {
	contentType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // broken: taken for JSON, which the body must then be
	switch {
	case binary(contentType) || bytes.HasPrefix(body, []byte("PK\x03\x04")):
		return busMessage(r, contentType, body)
	case contentType == cloudEvent || contentType == cloudEvents || r.Header.Get("Ce-Specversion") != "":
		return cloudMessages(r, contentType, body)
	}
	b := batch.Split(body)
	id := identify(b.Filename, body)
	switch {
	case b.Form == batch.Empty, b.Broken > 0 && b.Broken == len(b.Events):
		return nil, id, errNoEvent
	}
	return jsonMessages(r, id, b.Events), id, nil
}

func (plain) refused(w http.ResponseWriter, no *refusal) {
	why, _ := json.Marshal(no.why) // text always encodes
	answer(w, no.status, fmt.Sprintf(`{"error":%s}`, why))
}

// answer writes a JSON answer. That it may not arrive is why posts are recognised
// when they come again.
func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n"))
}

// identify is the identity of a post.
func identify(filename string, body []byte) postID {
	h := sha256.New()
	h.Write([]byte(filename + "\x00"))
	h.Write(body)
	return postID(h.Sum(nil))
}

// jsonMessages makes a message of each piece. Their ids are those of the post with
// the place in it: a bus drops them when the post comes again, and keeps events
// that are alike within one.
func jsonMessages(r *http.Request, id postID, pieces [][]byte) []events.Message {
	routing := busHeaders(r)
	out := make([]events.Message, len(pieces))
	for i, piece := range pieces {
		m := routing
		m.Body, m.ContentType = piece, "application/json"
		m.ID = id.message(i)
		out[i] = m
	}
	return out
}

// message is the identity of the post's message with that number.
func (id postID) message(i int) string { return id.String() + "/" + strconv.Itoa(i) }

// busMessage is one message of the EDR server's bus, as it is.
func busMessage(r *http.Request, contentType string, body []byte) ([]events.Message, postID, error) {
	id := identify("", body)
	if len(body) == 0 {
		return nil, id, errNoEvent
	}
	m := busHeaders(r)
	m.Body, m.ContentType = body, contentType
	m.ID = id.message(0)
	return []events.Message{m}, id, nil
}

func binary(contentType string) bool {
	return strings.HasSuffix(contentType, "/protobuf") || strings.HasSuffix(contentType, "/x-protobuf") || strings.HasSuffix(contentType, "/zip")
}

// busHeaders is what a client may say of a message of the EDR server's bus.
func busHeaders(r *http.Request) (m events.Message) {
	m.Exchange, m.RoutingKey = r.Header.Get("Cb-Exchange"), r.Header.Get("Cb-Routing-Key")
	for _, k := range []string{"sensorId", "hostId", "nodeId", "sensorHostName"} {
		if v := r.Header.Get(k); v != "" {
			if m.Headers == nil {
				m.Headers = map[string]string{}
			}
			m.Headers[k] = v
		}
	}
	return m
}

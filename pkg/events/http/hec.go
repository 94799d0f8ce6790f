package http

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/batch"
)

// hec is the protocol of Splunk's HTTP Event Collector: objects with the event
// inside, one after another with nothing or anything between them.
type hec struct{}

func (hec) messages(r *http.Request, body []byte) ([]events.Message, postID, error) {
	b := batch.Split(body)
	id := identify(b.Filename, body)
	if len(b.Events) == 0 {
		return nil, id, errNoEvent
	}
	good := 0
	raw := strings.Contains(r.URL.Path, "/raw")
	for i, piece := range b.Events {
		if inner, ok := unwrap(piece); ok && !raw {
			b.Events[i] = inner
			good++
		} else if raw && json.Valid(piece) {
			good++
		}
	}
	if good == 0 {
		return nil, id, refuse(http.StatusBadRequest, "Invalid data format")
	}
	return jsonMessages(r, id, b.Events), id, nil
}

// unwrap takes the event out of its frame. An event may be text that holds JSON.
func unwrap(piece []byte) ([]byte, bool) {
	var frame struct {
		Event json.RawMessage `json:"event"`
	}
	if json.Unmarshal(piece, &frame) != nil || len(frame.Event) == 0 || string(frame.Event) == "null" {
		return nil, false
	}
	if frame.Event[0] != '"' {
		return frame.Event, true
	}
	var text string
	if json.Unmarshal(frame.Event, &text) != nil || text == "" {
		return nil, false
	}
	return []byte(text), true
}

func (hec) describe([]events.Message) accepted { return accepted{} }

func (hec) accepted(w http.ResponseWriter, _ accepted) {
	answer(w, http.StatusOK, `{"text":"Success","code":0}`)
}

func (hec) refused(w http.ResponseWriter, no *refusal) {
	text, code := "Invalid data format", 6
	switch {
	case no == errNoToken:
		text, code = "Token is required", 2
	case no == errToken:
		text, code = "Invalid token", 4
	case no == errNoEvent:
		text, code = "No data", 5
	case no.status == http.StatusServiceUnavailable:
		text, code = "Server is busy", 9
	}
	answer(w, no.status, fmt.Sprintf(`{"text":%q,"code":%d}`, text, code))
}

// collectorQuestion answers what a client asks a collector before it posts.
func collectorQuestion(w http.ResponseWriter, r *http.Request, at string) bool {
	switch {
	case strings.HasPrefix(at, "health") && r.Method == http.MethodGet:
		answer(w, http.StatusOK, `{"text":"HEC is healthy","code":17}`)
	case at == "ack":
		answer(w, http.StatusBadRequest, `{"text":"ACK is disabled","code":14}`)
	default:
		return false
	}
	return true
}

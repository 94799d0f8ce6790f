package http

import (
	"maps"
	"net/http"

	"github.com/cloudevents/sdk-go/v2/event"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/batch"
)

// Media types of CloudEvents in JSON.
const (
	cloudEvent  = "application/cloudevents+json"
	cloudEvents = "application/cloudevents-batch+json"
)

// cloudMessages takes CloudEvents apart: structured, in a batch, or binary, where
// the attributes are headers and the body is the event. What is not a CloudEvent
// is delivered as it came.
func cloudMessages(r *http.Request, contentType string, body []byte) ([]events.Message, postID, error) {
	id := identify(r.Header.Get("Ce-Source")+"\x00"+r.Header.Get("Ce-Id"), body)
	if len(body) == 0 {
		return nil, id, errNoEvent
	}
	if contentType != cloudEvent && contentType != cloudEvents {
		out := jsonMessages(r, id, [][]byte{body})
		out[0].ContentType = contentType
		describe(&out[0], r.Header.Get("Ce-Id"), r.Header.Get("Ce-Source"), r.Header.Get("Ce-Type"))
		typed(&out[0], r.Header.Get("Ce-Type"))
		return out, id, nil
	}
	b := batch.Split(body)
	out := jsonMessages(r, id, b.Events)
	good := 0
	for i := range out {
		if cloudData(&out[i]) {
			good++
		}
	}
	if len(out) > 0 && good == 0 {
		return nil, id, refuse(http.StatusBadRequest, "there is no CloudEvent with data in the body")
	}
	return out, id, nil
}

// cloudData replaces a CloudEvent by its data.
func cloudData(m *events.Message) bool {
	var e event.Event
	if e.UnmarshalJSON(m.Body) != nil || len(e.Data()) == 0 {
		return false
	}
	m.Body = e.Data()
	if t := e.DataMediaType(); t != "" {
		m.ContentType = t
	}
	describe(m, e.ID(), e.Source(), e.Type())
	typed(m, e.Type())
	return true
}

// describe adds a CloudEvent's attributes to headers of the message's own.
func describe(m *events.Message, id, source, name string) {
	headers := make(map[string]string, len(m.Headers)+3)
	maps.Copy(headers, m.Headers)
	for k, v := range map[string]string{"ce-id": id, "ce-source": source, "ce-type": name} {
		if v != "" {
			headers[k] = v
		}
	}
	m.Headers = headers
}

// typed takes a CloudEvent's type for the event's where it is one: the event itself
// then need not say it again.
func typed(m *events.Message, name string) {
	if m.RoutingKey == "" && events.IsType(name) {
		m.RoutingKey = name
	}
}

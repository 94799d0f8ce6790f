package http

import (
	"encoding/json"
	"errors"
	"net/http"

	"edrpipe/pkg/events"
)

// mostNamed is how many messages a post may have whose events are named in the answer:
// a person who posts some looks for them, and a forwarder's bulk is not decoded twice.
const mostNamed = 100

// accepted is the answer to a post that is safe.
type accepted struct {
	Accepted int        `json:"accepted"`
	IDs      []string   `json:"ids,omitempty"`      // of the events in it, as `why` takes them
	Unusable []unusable `json:"unusable,omitempty"` // kept as dead letters
}

// unusable is a part of a post that gives no event.
type unusable struct {
	Message int    `json:"message"` // its place in the post, from 1
	Reason  string `json:"reason"`
}

func (plain) describe(messages []events.Message) accepted {
	a := accepted{Accepted: len(messages)}
	if len(messages) > mostNamed {
		return a
	}
	decoder := events.Decoder{LazyRaw: true}
	for i := range messages {
		for e, err := range decoder.Events(&messages[i]) {
			if len(a.IDs)+len(a.Unusable) == mostNamed {
				return a
			}
			if e != nil {
				a.IDs = append(a.IDs, e.Event.ID)
				continue
			}
			var no *events.Reject
			if errors.As(err, &no) && !no.Harmless() {
				a.Unusable = append(a.Unusable, unusable{i + 1, no.Error()})
			}
		}
	}
	return a
}

func (plain) accepted(w http.ResponseWriter, a accepted) {
	text, _ := json.Marshal(a) // numbers and text always encode
	answer(w, http.StatusOK, string(text))
}

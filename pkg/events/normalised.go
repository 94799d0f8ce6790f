package events

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// normalised decodes an Event that is one already: what "pipeline events
// convert" prints. It keeps its id, so that a replay is the same event.
func (p *pass) normalised(s string, at int) bool {
	var read Event
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(&read); err != nil {
		return p.reject(BadEnvelope, fmt.Errorf("an event in our own form: %w", err), at, s)
	}
	if read.Event.Type == "" || bit(read.Event.Kind) == 0 {
		return p.reject(BadEnvelope, fmt.Errorf("an event in our own form without a known kind and a type"), at, s)
	}
	if !p.Kinds.Has(read.Event.Kind) {
		return true
	}
	id, flaws := read.Event.ID, read.Event.Flaws
	e := p.newEvent(read.Event.Kind, "")
	received, transport := e.Event.Received, e.Event.Transport
	*e = read
	e.Event.Transport = transport
	if !received.IsZero() {
		e.Event.Received = received
	}
	p.reading.tidy()
	e.Event.Flaws = flaws
	plainNumbers(e.Raw)
	plainNumbers(e.IOC.Attrs)
	p.shape = nil
	return p.finish(original{format: ownOriginal, text: p.own(s), given: id})
}

// tidy holds an event of unknown origin to what decoding promises: clean text,
// and sensor.id only for the one sensor.
func (x *reading) tidy() {
	for _, f := range fields {
		if f.typ.Kind() == reflect.String {
			if text := (*string)(f.ptr(x.event)); *text != "" {
				*text = x.pool.clean(*text)
			}
		}
	}
	x.pool.normalise(x.event, strictlyFormed)
	s := &x.event.Sensor
	if s.IDs == nil {
		s.IDs = []string{}
	}
	s.ID = ""
}

// Complete fills what follows from other fields and puts texts into their normal
// forms, as decoding does: of an event that was written by hand, as in a rule's test.
func (e *Event) Complete() {
	x := reading{event: e, now: e.Event.Received}
	x.pool.normalise(e, strictlyFormed)
	x.finish()
}

// isID reports whether s has the form of an event id.
func isID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if !isLowerHex(s[i]) {
			return false
		}
	}
	return true
}

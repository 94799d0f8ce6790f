package rules

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
	"edrpipe/pkg/strictyaml"
)

// testBegin is when the clock of every test begins.
var testBegin = time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC)

// timedEvent is an event of a test and when it arrives.
type timedEvent struct {
	at       time.Duration
	event    *events.Event
	endpoint *endpointDocument // nil: that of the test
}

// testEvents makes the events of a test, in the order in which they arrive.
func (t *Test) testEvents() ([]timedEvent, strictyaml.Problems) {
	b := &eventBuilder{test: t}
	for i, entry := range t.written.Events {
		b.entry(t.path.Key("events").Index(i), entry)
	}
	slices.SortStableFunc(b.events, func(x, y timedEvent) int { return int(x.at - y.at) })
	return b.events, b.problems
}

type eventBuilder struct {
	test     *Test
	events   []timedEvent
	problems strictyaml.Problems
	made     int // so that equal events are different ones
}

func (b *eventBuilder) report(path strictyaml.Path, message, hint string) {
	p := b.test.doc.At(path, message)
	p.Hint = hint
	b.problems = append(b.problems, p)
}

// entry makes the events of one entry: one event, several, or those of a file.
func (b *eventBuilder) entry(path strictyaml.Path, entry any) {
	m, ok := entry.(map[string]any)
	if !ok {
		b.report(path, "an event must be a mapping", "")
		return
	}
	var timing struct {
		Repeat   int               `yaml:"repeat" min:"1" max:"10000"`
		Every    time.Duration     `yaml:"every"`
		At       time.Duration     `yaml:"at"`
		Event    map[string]any    `yaml:"event"`
		RawFile  string            `yaml:"raw_file"`
		Endpoint *endpointDocument `yaml:"endpoint"`
	}
	_, hasEvent := m["event"].(map[string]any)
	_, hasFile := m["raw_file"]
	meta := hasEvent && !looksLikeEvent(m)
	if !meta && !hasFile {
		b.one(path, m, 0, 1)
		return
	}
	if found := b.test.doc.DecodePart(path, &timing); len(found) > 0 {
		b.problems = append(b.problems, found...)
		return
	}
	defer b.of(timing.Endpoint, len(b.events))
	if hasFile {
		b.file(path.Key("raw_file"), timing.RawFile, timing.At)
		return
	}
	for i := range max(1, timing.Repeat) {
		b.one(path.Key("event"), timing.Event, timing.At+time.Duration(i)*timing.Every, i+1)
	}
}

// of gives the events from the nth the endpoint that their entry states.
func (b *eventBuilder) of(endpoint *endpointDocument, n int) {
	for i := range b.events[n:] {
		b.events[n+i].endpoint = endpoint
	}
}

// looksLikeEvent tells an event that has a part called event from an entry that
// times one.
func looksLikeEvent(m map[string]any) bool {
	for key := range m {
		if _, part := expression.EventType.Field(key); part && key != "event" {
			return true
		}
	}
	return false
}

// shorthand are the parts of event that may stand at the top of a test's event.
var shorthand = []string{"type", "kind", "id", "stage", "time", "age", "server"}

// one makes an event of its description; i counts repetitions from 1.
func (b *eventBuilder) one(path strictyaml.Path, m map[string]any, at time.Duration, i int) {
	before := len(b.problems)
	scope := expression.EventScope().With("i", "number of the repetition, from 1", expression.IntType)
	data, mistakes := scope.Data(m)
	for _, e := range mistakes {
		p := b.test.doc.Within(under(path, e.Path), e.Offset, e.Length, e.Message)
		p.Hint = e.Hint
		b.problems = append(b.problems, p)
	}
	if len(b.problems) > before {
		return
	}
	value, err := data.Eval(expression.Env(nil, map[string]any{"i": i}))
	if err != nil {
		b.report(path, err.Error(), "")
		return
	}
	given := value.(map[string]any)
	if b.misfits(path, given); len(b.problems) > before {
		return
	}
	b.made++
	e, written, err := eventOf(given, testBegin.Add(at), b.made)
	if err != nil {
		b.report(path, err.Error(), "")
		return
	}
	b.impossible(path, given, written)
	b.events = append(b.events, timedEvent{at: at, event: e})
}

func under(path strictyaml.Path, keys []string) strictyaml.Path {
	for _, key := range keys {
		if n, err := strconv.Atoi(key); err == nil {
			path = path.Index(n)
		} else {
			path = path.Key(key)
		}
	}
	return path
}

// eventOf makes the typed event. What follows from what is given need not be
// written: the kind of the type, the list of one sensor, the times, and what the
// decoder derives, such as a name from its path; written is the event without that.
func eventOf(m map[string]any, now time.Time, number int) (e, written *events.Event, err error) {
	meta, _ := m["event"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	for _, key := range shorthand {
		if v, ok := m[key]; ok {
			meta[key] = v
			delete(m, key)
		}
	}
	age, _ := meta["age"].(string)
	delete(meta, "age")
	m["event"] = meta
	data, err := json.Marshal(m)
	if err != nil {
		return nil, nil, err
	}
	e = &events.Event{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, nil, eventError(err)
	}
	as := *e
	e.Event.Received = now
	if e.Event.Time.IsZero() {
		e.Event.Time = now
	}
	if age != "" {
		d, err := strictyaml.ParseDuration(age)
		if err != nil {
			return nil, nil, err
		}
		e.Event.Time = now.Add(-d)
	}
	complete(e, number)
	return e, &as, nil
}

func complete(e *events.Event, number int) {
	if e.Event.Kind == "" {
		e.Event.Kind = events.Other
		for _, t := range events.Types() {
			if t.Name == e.Event.Type {
				e.Event.Kind = t.Kind
			}
		}
	}
	if len(e.Sensor.IDs) == 0 && e.Sensor.ID != "" {
		e.Sensor.IDs = []string{e.Sensor.ID}
	}
	e.Complete()
	if e.Event.ID == "" {
		data, err := json.Marshal(e)
		if err != nil { // plain data: cannot happen
			panic(err)
		}
		e.Event.ID = digestOf(append(data, byte(number), byte(number>>8)))[:16]
	}
}

// eventError is json's error in the words of authors.
func eventError(err error) error {
	if t, ok := err.(*json.UnmarshalTypeError); ok {
		return fmt.Errorf("%s must be %s, is %s", t.Field, expression.Of(t.Type), t.Value)
	}
	return err
}

// file decodes a message as it came from the bus; the path is relative to the
// test's file.
func (b *eventBuilder) file(path strictyaml.Path, name string, at time.Duration) {
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(filepath.Dir(b.test.File), file)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		b.report(path, readReason(err), "the path is relative to this file")
		return
	}
	now := testBegin.Add(at)
	var d events.Decoder
	decoded, rejects := d.Decode(&events.Message{Body: body, Transport: "file", Received: now})
	for _, reject := range rejects {
		b.report(path, "it cannot be decoded: "+reject.Error(), "")
	}
	for _, e := range decoded {
		e.LoadRaw()
		e.Event.Time, e.Event.Received, e.Event.Age = now, now, 0 // a recording is as good as new
		b.events = append(b.events, timedEvent{at: at, event: e})
	}
}

package events

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// fuzzDecoder has small limits, so that fuzzing meets them.
func fuzzDecoder() *Decoder {
	return &Decoder{
		Now:         func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) },
		MaxDocument: 1 << 16, MaxUnzipped: 1 << 20,
	}
}

// checkMessage decodes hostile input and checks what must hold whatever it is.
func checkMessage(t *testing.T, msg *Message) []*Event {
	t.Helper()
	d := fuzzed().Decoder
	events, rejects := d.Decode(msg)
	for _, e := range events {
		if e.Event.Type == "" || e.Event.Kind == "" || len(e.Event.ID) != 32 {
			t.Errorf("an event without type, kind or id: %+v", e.Event)
		}
		if (e.Sensor.ID != "") != (len(e.Sensor.IDs) == 1) {
			t.Errorf("sensor %q of %v", e.Sensor.ID, e.Sensor.IDs)
		}
		for path, f := range fields {
			if s, ok := (Field{f}).Any(e).(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
				t.Errorf("%s = %q", path, s)
			}
		}
		if _, err := json.Marshal(e); err != nil {
			t.Errorf("the event is no JSON: %v", err)
		}
	}
	for _, r := range rejects {
		if r.Reason == "" || r.Err == nil || len(r.Data) > keptBytes {
			t.Errorf("reject %+v", r)
		}
	}
	again, _ := d.Decode(msg)
	for i := range again {
		if again[i].Event.ID != events[i].Event.ID {
			t.Error("the same message gives another id")
		}
	}
	compareFull(t, d, fuzzed().Scanner, msg)
	return events
}

// fuzzed is what every run of a fuzz target uses: making a Scanner takes longer
// than most runs.
var fuzzed = sync.OnceValue(func() (f struct {
	*Decoder
	*Scanner
}) {
	f.Decoder = fuzzDecoder()
	var err error
	if f.Scanner, err = f.Decoder.Scanner(scannable()...); err != nil {
		panic(err)
	}
	return f
})

func FuzzJSON(f *testing.F) {
	for _, name := range testdataFiles(f) {
		for _, msg := range fixtureMessages(f, name) {
			f.Add(msg.Body, msg.RoutingKey)
		}
	}
	f.Add([]byte(`{"event":{"type":"x","kind":"file","id":"00"},"sensor":{"id":5,"ids":[1,2]},"file":{"path":"a\u0000b"}}`), "")
	f.Add([]byte(`[{"type":"ingress.event.tamper"},{"type":`), "")
	f.Add([]byte(`{"docs":[{}],"docs":{"id":1},"docs":[1,{}]}`), "watchlist.hit.process")
	f.Add([]byte("{\"type\":\"ingress.event.procstart\",\"command_line\":\"\xff\xfe\"}"), "")
	f.Fuzz(func(t *testing.T, body []byte, routing string) {
		if strings.ContainsRune(routing, 0) || !utf8.ValidString(routing) {
			t.Skip() // a routing key is the server's own
		}
		checkMessage(t, &Message{Body: body, RoutingKey: routing, ContentType: "application/json"})
		checkLexer(t, string(body))
	})
}

// checkLexer compares the lexer with encoding/json: what is JSON, and what the
// strings of an object are.
func checkLexer(t *testing.T, s string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var want any
	err := d.Decode(&want)
	var rest any
	wantValid := err == nil && d.Decode(&rest) == io.EOF
	l := lexer{s: s}
	end := l.value(l.space(0), new(token))
	gotValid := end != failed && l.space(end) == len(s)
	if deep := l.err != nil && strings.Contains(l.err.Error(), "deeper"); gotValid != wantValid && !deep {
		t.Fatalf("valid = %v (%v), encoding/json says %v (%v)", gotValid, l.err, wantValid, err)
	}
	object, isObject := want.(map[string]any)
	if !gotValid || !isObject {
		return
	}
	v := values{dict: fullDictionary}
	start := strings.IndexByte(s, '{')
	if err := v.readAt(s, start); err != nil {
		t.Fatal(err)
	}
	for k, name := range knownKeys.names {
		if _, wanted := fullDictionary.find(name); !wanted {
			continue
		}
		got := v.get(key(k))
		value, there := object[name]
		if there != (got.kind != absent) {
			t.Fatalf("key %q: there = %v, encoding/json says %v", name, got.kind != absent, there)
		}
		if text, ok := value.(string); ok {
			var pool textPool
			if got, want := pool.text(s, got), new(textPool).clean(text); got != want {
				t.Fatalf("key %q = %q, want %q", name, got, want)
			}
		}
	}
}

func FuzzSensorEvent(f *testing.F) {
	f.Add(sensorFixture())
	for _, b := range sensorEvents() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkMessage(t, &Message{Body: body, ContentType: "application/protobuf", Exchange: "api.events"})
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(bundleOf(sensorFixture(), 2))
	var mixed []byte
	for _, b := range sensorEvents() {
		mixed = append(mixed, bundleOf(b, 1)...)
	}
	f.Add(mixed)
	f.Add(mixed[:len(mixed)-3])
	f.Add(zipOf(mixed, bundleOf(sensorFixture(), 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkMessage(t, &Message{Body: body, ContentType: "application/zip", Exchange: rawExchange,
			Headers: map[string]string{"sensorId": "42", "sensorHostName": "WS-042"}})
	})
}

// FuzzUnknown leaves the form of the message to the decoder.
func FuzzUnknown(f *testing.F) {
	f.Add([]byte("<6> x: {}"))
	f.Add([]byte("LEEF:1.0|"))
	f.Add(sensorFixture())
	f.Add(bundleOf(sensorFixture(), 2))
	f.Add(zipOf(bundleOf(sensorFixture(), 2)))
	f.Fuzz(func(t *testing.T, body []byte) {
		checkMessage(t, &Message{Body: body})
	})
}

func FuzzRecording(f *testing.F) {
	for _, name := range testdataFiles(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte("{\n\"a\":\n\"\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		line := 0
		for rec, err := range ReadRecording(bytes.NewReader(file), FormatAuto) {
			if err == nil && rec.Line < line {
				t.Errorf("line %d after line %d", rec.Line, line)
			}
			line = rec.Line
			new(Decoder).Decode(&rec.Message)
		}
	})
}

package jetstream_test

import (
	"bytes"
	"testing"

	"github.com/nats-io/nats.go"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/jetstream"
)

// FuzzShrink checks that a split message loses nothing and keeps its bound.
func FuzzShrink(f *testing.F) {
	f.Add([]byte("[{\"a\":1},{\"b\":2}]"), 8)
	f.Add(append(record(5, 'a'), record(3, 'b')...), 10)
	f.Add([]byte("PK\x03\x04 not a zip"), 5)
	f.Fuzz(func(t *testing.T, body []byte, limit int) {
		if limit < 1 {
			return
		}
		parts, tooLarge := jetstream.Shrink(events.Message{Body: body, Exchange: jetstream.RawExchange}, limit)
		total := 0
		for _, p := range parts {
			if len(p.Body) > limit {
				t.Fatalf("a part of %d bytes, limit %d", len(p.Body), limit)
			}
			total += len(p.Body)
		}
		for _, p := range tooLarge {
			total += len(p.Body)
		}
		if text := len(body) > 0 && (body[0] == '{' || body[0] == '['); !text && !bytes.HasPrefix(body, []byte("PK\x03\x04")) && total != len(body) {
			t.Fatalf("%d of %d bytes are left", total, len(body))
		}
	})
}

// FuzzSubject checks that what is published is always a valid subject, and comes
// back with the server and key it had.
func FuzzSubject(f *testing.F) {
	f.Add("edr01", "feed.24.ingress.hit.process", "42")
	f.Add("a b.c", "x..>.*", "")
	f.Add("", "", "\r\n")
	f.Fuzz(func(t *testing.T, server, key, sensor string) {
		m := events.Message{Server: server, RoutingKey: key, Headers: map[string]string{"sensorId": sensor}}
		if key == "" {
			m.Exchange = jetstream.RawExchange
		}
		msg := jetstream.Encode(jetstream.Prefix, m)
		for _, word := range bytes.Split([]byte(msg.Subject), []byte(".")) {
			if len(word) == 0 || bytes.ContainsAny(word, "*> \t\r\n\x00") {
				t.Fatalf("subject %q", msg.Subject)
			}
		}
		got := jetstream.Decode(jetstream.Prefix, msg.Subject, nats.Header(msg.Header), nil)
		if got.Server != server || got.RoutingKey != key {
			t.Fatalf("server %q and key %q came back as %q and %q by %q", server, key, got.Server, got.RoutingKey, msg.Subject)
		}
	})
}

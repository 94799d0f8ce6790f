package jetstream

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzDead: a dead letter with any headers has its body as it is, a size that is not below
// it and a bounded error, and is put back on a subject that a message can have, below the
// prefix of events, without the headers of a letter.
func FuzzDead(f *testing.F) {
	f.Add("bad_json", "unexpected end", "edr.events.hq.x", "9", "7", []byte("{"))
	f.Add("", "", "edr.events.>", "-4", "", []byte(nil))
	f.Add("x", "e", "edr.events..a b", "1", "\r\n", []byte("body"))
	f.Add("x", "e", "$KV.control.guard", "99999999999999999999", "7", []byte("body"))
	f.Fuzz(func(t *testing.T, reason, cause, subject, size, sensor string, body []byte) {
		h := nats.Header{
			HeaderDeadReason: {reason}, HeaderDeadError: {cause}, HeaderDeadSubject: {subject}, HeaderDeadSize: {size},
			HeaderDeadTime: {"2026-01-02T03:04:05Z"}, HeaderMessageID: {"id"}, "sensorId": {sensor},
		}
		letters := &DeadLetters{}
		dead := letters.read(7, h, body)
		if !bytes.Equal(dead.Message.Body, body) || dead.Size < len(body) || len(dead.Error) > maxDeadError || dead.Reason != reason {
			t.Fatalf("%d bytes, reason %q: %+v", len(body), reason, dead)
		}
		if n, err := strconv.Atoi(size); err == nil && n > len(body) != (dead.Size == n && n > len(body)) {
			t.Fatalf("size %s of %d bytes was read as %d", size, len(body), dead.Size)
		}
		m := letters.replayed(dead)
		if !strings.HasPrefix(m.Subject, Prefix+".") || strings.ContainsAny(m.Subject, "*> \t\r\n\x00") || strings.Contains(m.Subject+".", "..") {
			t.Fatalf("put back on %q", m.Subject)
		}
		for name := range m.Header {
			if strings.HasPrefix(name, "Dead-") {
				t.Errorf("put back with header %s", name)
			}
		}
		if again := Decode(Prefix, m.Subject, m.Header, m.Data); !bytes.Equal(again.Body, body) {
			t.Errorf("body %q came back as %q", body, again.Body)
		}
	})
}

package events

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"edrpipe/internal/fixtures"
)

// synthetic is a made message with what forwarder 3.8.4 makes of it; null where
// it drops the event.
type synthetic struct {
	Name string `json:"name"`
	Capture
	Forwarder json.RawMessage `json:"forwarder_3_8_4"`
}

// withoutForwarder are the messages that the forwarder drops, and what they are
// here: an event, or a part that is none.
var withoutForwarder = map[string]string{
	"fbscriptexe":      "ingress.event.scriptload",
	"netconnblockedv2": "",
	"processMeta":      "",
}

func TestSyntheticMessages(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		for _, c := range readLines[synthetic](t, dir, "synthetic/messages.jsonl") {
			t.Run(c.Name, func(t *testing.T) { checkSynthetic(t, c) })
		}
	})
}

func checkSynthetic(t *testing.T, c synthetic) {
	msg := c.Message()
	msg.Server = "cbserver"
	events, rejects := new(Decoder).Decode(&msg)
	if string(c.Forwarder) == "null" {
		checkDropped(t, withoutForwarder[c.Name], events, rejects)
		return
	}
	if len(events) != 1 || len(rejects) != 0 {
		t.Fatalf("%d events and %v, want one event", len(events), rejects)
	}
	forwarded, _ := new(Decoder).Decode(&Message{Body: c.Forwarder})
	if len(forwarded) != 1 {
		t.Fatalf("the forwarder's line gives %d events", len(forwarded))
	}
	if diff := cmp.Diff(comparable(forwarded[0]), comparable(events[0])); diff != "" {
		t.Errorf("the sensor's own event differs from the forwarder's (-forwarder +sensor):\n%s", diff)
	}
	// In a bundle the same event is the same.
	bundled := msg
	bundled.Body = binary.LittleEndian.AppendUint32(nil, uint32(len(msg.Body)))
	bundled.Body = append(bundled.Body, msg.Body...)
	again := decodeAll(t, &Decoder{}, bundled)
	if len(again) != 1 || again[0].Event.ID != events[0].Event.ID {
		t.Error("the event in a bundle has another id")
	}
}

func checkDropped(t *testing.T, want string, events []*Event, rejects []*Reject) {
	t.Helper()
	if want == "" {
		if len(events) != 0 || len(rejects) != 1 || !rejects[0].Harmless() {
			t.Fatalf("%d events and %v, want one harmless reject", len(events), rejects)
		}
		return
	}
	if len(events) != 1 || events[0].Event.Type != want {
		t.Fatalf("%d events, %v; want one %s", len(events), rejects, want)
	}
}

// comparable is an event as a tree, without what the forwarder loses, adds or
// can not say as exactly.
func comparable(e *Event) map[string]any {
	whole := *e
	whole.Event.Time = e.Event.Time.Truncate(time.Second)
	b, _ := json.Marshal(whole)
	var m map[string]any
	_ = json.Unmarshal(b, &m)
	delete(m, "raw")
	drop := func(path string) {
		at := m
		parts := strings.Split(path, ".")
		for _, p := range parts[:len(parts)-1] {
			at, _ = at[p].(map[string]any)
		}
		delete(at, parts[len(parts)-1])
		if len(parts) == 2 && len(m[parts[0]].(map[string]any)) == 0 {
			delete(m, parts[0])
		}
	}
	drop("event.id")
	lost := map[Kind][]string{
		ChildProcess: {"process.md5", "process.sha256", "child.md5", "child.guid"}, // the forwarder's md5 is one or the other's
		Blocked:      {"process"},
		FileChange:   {"file.sha256"},
		ModuleLoad:   {"process.md5", "process.sha256"},
		ProcessEnd:   {"process.md5", "process.sha256", "process.parent.guid"},
		ProcessStart: {"process.logon_type", "process.md5", "process.already_running", "process.parent.guid", "process.parent.sha256", "event.flaws"},
		TamperAlert:  {"process"},
		CrossProcess: {"process.md5"},
	}
	for _, path := range lost[e.Event.Kind] {
		drop(path)
	}
	return m
}

func TestWireFormatsGiveTheSameEvents(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		dir = filepath.Join(dir, "events", "wire")
		want := wireEvents(t, filepath.Join(dir, "file.ndjson"))
		if len(want) < 78 {
			t.Fatalf("file.ndjson gives %d events, want at least 78", len(want))
		}
		names := []string{
			"http-array-template.body.json", "http-default.body.json", "splunk-hec.body", "syslog-tcp.txt",
			"tcp.crlf.ndjson", "udp-datagrams.ndjson",
		}
		if made {
			names = append(names, "http-base64.body.json")
		}
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				got := wireEvents(t, filepath.Join(dir, name))
				if len(got) != len(want) {
					t.Errorf("%d events, want %d", len(got), len(want))
				}
				for id, e := range want {
					if got[id] != e {
						t.Errorf("event %s = %q, want %q", id, got[id], e)
					}
				}
			})
		}
	})
}

// wireEvents decodes a file of a forwarder's output, once whole and once as a
// recording, and gives the events by id: several workers shuffle their order.
func wireEvents(t *testing.T, path string) map[string]string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]string{}
	for _, e := range decodeAll(t, &Decoder{}, Message{Body: body, Transport: "file"}) {
		id := fmt.Sprint(e.Event.ID, len(e.original.text))
		if _, twice := events[id]; twice {
			t.Errorf("two events have the id %s: %s", e.Event.ID, e.original.text)
		}
		events[id] = marshal(t, e)
	}
	recorded := 0
	for rec, err := range ReadRecording(bytes.NewReader(body), FormatAuto) {
		if err != nil {
			t.Errorf("line %d: %v", rec.Line, err)
			continue
		}
		recorded += len(decodeAll(t, &Decoder{}, rec.Message))
	}
	if recorded != len(events) {
		t.Errorf("%d events as a recording, %d as one message", recorded, len(events))
	}
	return events
}

// TestLEEFIsRefused: a forwarder that prints LEEF is told so, line by line; none of it
// becomes an event.
func TestLEEFIsRefused(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join(fixtures.Dir(t), "events", "wire", "file.leef"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(body) {
		events, rejects := new(Decoder).Decode(&Message{Body: line})
		if len(events) != 0 || len(rejects) != 1 || rejects[0].Harmless() {
			t.Fatalf("%.80s: %d events, %v", line, len(events), rejects)
		}
	}
}

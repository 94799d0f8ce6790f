package events

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	for _, c := range readLines[synthetic](t, "synthetic/messages.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
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
		})
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
		ChildProcess: {"process.md5", "child.md5", "child.guid"}, // the forwarder's md5 is one or the other's
		Blocked:      {"process"},
		ProcessEnd:   {"process.md5", "process.parent.guid"},
		ProcessStart: {"process.logon_type", "process.md5", "process.already_running", "process.parent.guid", "event.flaws"},
		TamperAlert:  {"process"},
		CrossProcess: {"process.md5"},
	}
	for _, path := range lost[e.Event.Kind] {
		drop(path)
	}
	return m
}

func TestWireFormatsGiveTheSameEvents(t *testing.T) {
	want := wireEvents(t, "file.ndjson")
	if len(want) != 78 {
		t.Fatalf("file.ndjson gives %d events, want 78", len(want))
	}
	for _, name := range []string{
		"http-array-template.body.json", "http-default.body.json", "splunk-hec.body", "syslog-tcp.txt",
		"tcp.crlf.ndjson", "udp-datagrams.ndjson",
	} {
		t.Run(name, func(t *testing.T) {
			got := wireEvents(t, name)
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
}

// wireEvents decodes a file of a forwarder's output, once whole and once as a
// recording, and gives the events by id: several workers shuffle their order.
func wireEvents(t *testing.T, name string) map[string]string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(recordings, "wire", name))
	if err != nil {
		t.Skipf("no recordings: %v", err)
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
	f, err := os.Open(filepath.Join(recordings, "wire", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for rec, err := range ReadRecording(f, FormatAuto) {
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

package events

import (
	"encoding/json"
	"reflect"
	"slices"
	"sort"
	"testing"

	"edrpipe/internal/fixtures"
)

// scannable lists every field that can be scanned.
func scannable() []string {
	var paths []string
	for path := range fields {
		if !notScanned[path] {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	return paths
}

// A reporter is a *testing.T or a *rapid.T.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// compareScan scans a message for the given fields and compares each with what
// the full decode says.
func compareScan(t reporter, d *Decoder, s *Scanner, msg *Message) {
	t.Helper()
	compareScans(t, d, s, msg, false)
}

// compareFull is compareScan that compares Full with the full decode as well.
func compareFull(t reporter, d *Decoder, s *Scanner, msg *Message) {
	t.Helper()
	compareScans(t, d, s, msg, true)
}

func compareScans(t reporter, d *Decoder, s *Scanner, msg *Message, alsoFull bool) {
	t.Helper()
	wants, wantRejects := d.Decode(msg)
	var n, rejects int
	for scan, err := range s.Events(msg) {
		if err != nil {
			if rejects < len(wantRejects) && err.(*Reject).Reason != wantRejects[rejects].Reason {
				t.Errorf("scan rejects with %v, decode with %v", err, wantRejects[rejects])
			}
			rejects++
			continue
		}
		if n >= len(wants) {
			t.Fatalf("scan gives an event more than decode's %d", len(wants))
		}
		want := wants[n]
		n++
		for _, f := range s.Fields(want.Event.Kind) {
			got, want := f.Any(scan.Event), f.Any(want)
			if isEmptySlice(got) && isEmptySlice(want) {
				continue
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s = %#v, want %#v", f.Path(), got, want)
			}
		}
		if !alsoFull {
			continue
		}
		full := scan.Full()
		if got, want := marshal(t, full), marshal(t, want); got != want {
			t.Errorf("full event = %s\nwant %s", got, want)
		}
	}
	if n != len(wants) || rejects != len(wantRejects) {
		t.Errorf("scan gives %d events and %d rejects, decode %d and %d", n, rejects, len(wants), len(wantRejects))
	}
}

func isEmptySlice(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Slice && r.Len() == 0
}

func marshal(t reporter, e *Event) string {
	t.Helper()
	if e == nil {
		return "no event"
	}
	e.LoadRaw()
	return marshalOnly(t, e)
}

func marshalOnly(t reporter, e *Event) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func newScanner(t reporter, d *Decoder, paths ...string) *Scanner {
	t.Helper()
	s, err := d.Scanner(paths...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScanIsDecode(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		var messages []Message
		for _, c := range readLines[captured](t, dir, "dev/bus.jsonl") {
			messages = append(messages, c.Message())
		}
		for _, name := range []string{"dev/forwarder.jsonl", "dev/forwarder-3.7.jsonl"} {
			for _, line := range readLines[json.RawMessage](t, dir, name) {
				messages = append(messages, Message{Body: line})
			}
		}
		compareScansOf(t, messages)
	})
}

func compareScansOf(t *testing.T, messages []Message) {
	d := &Decoder{LazyRaw: true}
	t.Run("all fields at once", func(t *testing.T) {
		s := newScanner(t, d, scannable()...)
		for i := range messages {
			compareFull(t, d, s, &messages[i])
		}
	})
	for _, path := range scannable() {
		t.Run(path, func(t *testing.T) {
			s := newScanner(t, d, path)
			for i := range messages {
				if i%7 == 0 {
					compareScan(t, d, s, &messages[i])
				}
			}
		})
	}
}

func TestScannerRefusesWhatItCanNotScan(t *testing.T) {
	for _, path := range []string{"raw", "ioc.attrs", "event.flaws", "process", "process.nmae", ""} {
		if _, err := new(Decoder).Scanner(path); err == nil {
			t.Errorf("Scanner(%q) gives no error", path)
		}
	}
	if !slices.Contains(scannable(), "process.parent.name") {
		t.Error("process.parent.name can not be scanned")
	}
}

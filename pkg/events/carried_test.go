package events

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"edrpipe/internal/fixtures"
)

// TestCarriedByMessages: whatever a decoder fills, in testdata, in made fixtures and in
// recordings of real servers, is among the fields that its type is said to carry.
func TestCarriedByMessages(t *testing.T) {
	t.Parallel()
	checkCarried(t, testdataFiles(t), 50)
	fixtures.Each(t, func(t *testing.T, dir string, _ bool) {
		names, _ := filepath.Glob(filepath.Join(dir, "events", "*", "*"))
		checkCarried(t, names, 500)
	})
}

// checkCarried reads files that hold at least so many events.
func checkCarried(t *testing.T, names []string, least int) {
	t.Helper()
	seen := 0
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		d := &Decoder{LazyRaw: true}
		for rec, err := range ReadRecording(f, FormatAuto) {
			if err != nil {
				break // not a recording: other tests say so
			}
			events, _ := d.Decode(&rec.Message)
			for _, e := range events {
				seen++
				for _, path := range filled(e) {
					if !Carries(e.Event.Type, path) {
						t.Errorf("%s: %s fills %s, which it is not said to carry", filepath.Base(name), e.Event.Type, path)
					}
				}
			}
		}
		f.Close()
	}
	if seen < least {
		t.Errorf("only %d events, want %d", seen, least)
	}
}

// TestCarriedBySensors: a sensor event with every member of its schema fills
// exactly what its type is said to carry as protobuf.
func TestCarriedBySensors(t *testing.T) {
	t.Parallel()
	got := map[string]map[string]bool{}
	for num, k := range sensorKinds {
		for _, body := range fullBodies(num) {
			head := join(field64(1, 4), field64(4, filetimeOf(1725526400_123456700)), field64(6, 7))
			if !withoutActor[num] {
				head = fullMessage("Header", nil)
			}
			b := join(fieldBytes(tagHeader, head), fieldBytes(tagStrings, join(field64(1, 7), fieldText(2, `c:\temp\a.dll`))),
				fieldBytes(num, body), fieldBytes(tagEnv, fieldBytes(1, join(field64(1, 42), fieldText(2, "WS-042")))))
			events, rejects := (&Decoder{Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }}).
				Decode(&Message{Body: b, ContentType: "application/protobuf"})
			if len(rejects) > 0 || len(events) != 1 {
				t.Fatalf("%s: %v", k.typ, rejects)
			}
			typ := events[0].Event.Type
			if got[typ] == nil {
				got[typ] = map[string]bool{}
			}
			for _, path := range filled(events[0]) {
				got[typ][path] = true
			}
		}
	}
	for typ, paths := range sensorFields() {
		want := map[string]bool{}
		for _, path := range paths {
			want[path] = true
		}
		addDerived(want)
		for path := range want {
			if !got[typ][path] {
				t.Errorf("%s is said to carry %s, and the decoder does not fill it", typ, path)
			}
		}
		for path := range got[typ] {
			if !want[path] && !strings.HasPrefix(path, "sensor.") && !strings.HasPrefix(path, "event.") && path != "raw" {
				t.Errorf("%s fills %s, which it is not said to carry", typ, path)
			}
		}
	}
}

// fullBodies are bodies with every member, one for each choice of members that
// exclude each other.
func fullBodies(num protowire.Number) [][]byte {
	name := sensorSchema()["CbEventMsg"][num].typ
	switch num {
	case tagProcess:
		return [][]byte{fullMessage(name, map[string]uint64{"creationobserved": 0}), fullMessage(name, map[string]uint64{"created": 0})}
	case tagCrossproc:
		return [][]byte{fullMessage(name, map[string]uint64{"remotethread": 0}), fullMessage(name, map[string]uint64{"open": 0})}
	}
	return [][]byte{fullMessage(name, nil)}
}

// fullMessage writes a message of the schema with every member; of those named,
// scalars get the value and messages are left out.
func fullMessage(name string, but map[string]uint64) []byte {
	var b []byte
	for num, m := range sensorSchema()[name] {
		value, special := but[m.name]
		switch {
		case sensorSchema()[m.typ] != nil:
			if !special {
				b = append(b, fieldBytes(num, fullMessage(m.typ, but))...)
			}
		case m.typ == "bytes":
			b = append(b, fieldBytes(num, fullBytes(m.name))...)
		case m.typ == "string":
			b = append(b, fieldText(num, string(fullText(m.name)))...)
		default:
			if !special {
				value = fullNumber(m.name)
			}
			b = append(b, field64(num, value)...)
		}
	}
	return b
}

func fullBytes(member string) []byte {
	switch lower := strings.ToLower(member); {
	case strings.Contains(lower, "md5"), strings.Contains(lower, "hash") && !strings.Contains(lower, "sha256"):
		return []byte("0123456789abcdef")
	case strings.Contains(lower, "sha256"):
		return []byte("0123456789abcdef0123456789abcdef")
	}
	return fullText(member)
}

func fullText(member string) []byte {
	switch lower := strings.ToLower(member); {
	case strings.Contains(lower, "sha256"):
		return []byte(strings.Repeat("ab", 32))
	case strings.Contains(lower, "digsig"):
		return []byte("Signed")
	}
	return []byte(`c:\temp\a.exe`)
}

func fullNumber(member string) uint64 {
	switch {
	case strings.Contains(member, "time"):
		return filetimeOf(1725526390_000000000)
	case strings.Contains(member, "string_guid"):
		return 7
	case strings.Contains(member, "IsIpv6"):
		return 0
	}
	return 1
}

// filled are the paths of the fields of an event that are not zero.
func filled(e *Event) []string {
	var paths []string
	for path, f := range fields {
		if !reflect.NewAt(f.typ, f.ptr(e)).Elem().IsZero() {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// TestCarriedOfJSON: the rows of a shape fill what they name, from a message that
// has every key that they read.
func TestCarriedOfJSON(t *testing.T) {
	t.Parallel()
	for name, typ := range types {
		for _, kind := range []string{"text", "number"} {
			object := map[string]any{"type": name}
			for _, st := range typ.shape.steps {
				for _, k := range st.keys {
					if key := knownKeys.names[k]; key != "type" && key != "docs" {
						object[key] = map[string]any{"text": "0f0102030405060708090a0b0c0d0e0f", "number": 7}[kind]
					}
				}
			}
			body, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			events, _ := (&Decoder{}).Decode(&Message{Body: body})
			for _, e := range events {
				for _, path := range filled(e) {
					if !Carries(e.Event.Type, path) {
						t.Errorf("%s", fmt.Sprintf("%s fills %s, which it is not said to carry", e.Event.Type, path))
					}
				}
			}
		}
	}
}

package events

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestSensorDataOfAnyLengthIsNoText: without a content type the lengths that a
// bundle and an event begin with are what decides. Some are those of "{" or "[".
func TestSensorDataOfAnyLengthIsNoText(t *testing.T) {
	const at, started = 1725526400_123456700, 1725526390_000000000
	for size := range 300 {
		path := strings.Repeat("x", size)
		event := newSensorEvent().header(at, 4412, started, path).member(tagTamperAlert, field64(1, 3)).env(42, "WS-042").bytes()
		bundle := bundleOf(event, 2)
		for name, c := range map[string]struct {
			body []byte
			want string
		}{
			"event":            {event, "tamper"},
			"bundle":           {bundle, "tamper tamper"},
			"truncated bundle": {bundle[:len(bundle)-1], "tamper !truncated_bundle"},
		} {
			if got := decoded(&Decoder{}, &Message{Body: c.body}); got != c.want {
				t.Errorf("a path of %d bytes: the %s gives %q, want %q", size, name, got, c.want)
			}
			var recorded []string
			for rec, err := range ReadRecording(bytes.NewReader(c.body), FormatAuto) {
				if err != nil {
					t.Fatal(err)
				}
				recorded = append(recorded, decoded(&Decoder{}, &rec.Message))
			}
			if !slices.Equal(recorded, []string{c.want}) {
				t.Errorf("a path of %d bytes: the %s in a file gives %q, want %q", size, name, recorded, c.want)
			}
		}
	}
}

// TestHashesOfBinariesAsTextAndAsBytes: sensors differ, and neither is a flaw.
func TestHashesOfBinariesAsTextAndAsBytes(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfe, 0x00}, 16)
	text := strings.Repeat("fe00", 16)
	for name, hash := range map[string][]byte{"bytes": raw, "text": []byte(strings.ToUpper(text))} {
		md5 := hash[:len(hash)/2]
		event := newSensorEvent().header(1725526400_000000000, 0, 0, "").member(tagModule, fieldBytes(1, md5), fieldBytes(27, hash)).env(42, "WS-042").bytes()
		e := decodeAll(t, &Decoder{}, Message{Body: event, ContentType: "application/protobuf"})[0]
		if e.Binary.SHA256 != text || e.Binary.MD5 != text[:32] || len(e.Event.Flaws) != 0 {
			t.Errorf("as %s: %q and %q, flaws %v", name, e.Binary.MD5, e.Binary.SHA256, e.Event.Flaws)
		}
	}
}

// TestTimesOfAnyForm: what each says is the same moment.
func TestTimesOfAnyForm(t *testing.T) {
	const want = 1725526400
	for _, text := range []string{
		`1725526400`, `"1725526400"`, `1725526400.0`, `1.7255264e9`, `"2024-09-05T08:53:20Z"`, `"2024-09-05T10:53:20+02:00"`, `"2024-09-05T08:53:20"`,
		`"2024-09-05 08:53:20"`, `"2024-09-05 08:53:20+00:00"`, `"2024-09-05 03:53:20.000000-05:00"`, `"2024-09-05 08:53:20 +0000 UTC"`,
	} {
		e := decodeAll(t, &Decoder{}, Message{Body: []byte(`{"type":"ingress.event.tamper","timestamp":` + text + `}`)})[0]
		if e.Event.Time.Unix() != want {
			t.Errorf("%s is %v", text, e.Event.Time)
		}
	}
	alert := decodeAll(t, &Decoder{}, Message{RoutingKey: "alert.watchlist.hit.ingress.binary", Body: []byte(`{"created_time":"2024-09-05T08:53:20Z"}`)})[0]
	if alert.Event.Time.Unix() != want {
		t.Errorf("an alert that has only its creation is of %v", alert.Event.Time)
	}
}

// TestHeadersOfACapture: a header without a value says nothing.
func TestHeadersOfACapture(t *testing.T) {
	c := Capture{Headers: map[string]any{"sensorId": 42.0, "hostId": "7", "sensorHostName": nil}}
	want := map[string]string{"sensorId": "42", "hostId": "7"}
	if got := c.Message().Headers; !maps.Equal(got, want) {
		t.Errorf("headers %v, want %v", got, want)
	}
}

// TestSensorOfOldRecords reads ids that were numbers.
func TestSensorOfOldRecords(t *testing.T) {
	for text, want := range map[string]Sensor{
		`{"id":42,"ids":[42,43],"hostname":"A"}`:  {ID: "42", IDs: []string{"42", "43"}, Hostname: "A"},
		`{"id":0,"ids":[]}`:                       {IDs: []string{}},
		`{"id":"a:b","ids":["a:b"],"os":"linux"}`: {ID: "a:b", IDs: []string{"a:b"}, OS: "linux"},
	} {
		var got Sensor
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

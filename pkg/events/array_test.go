package events_test

import (
	"strings"
	"testing"

	"edrpipe/pkg/events"
)

// TestArrayElements: an element of an array that is no event costs no other one.
func TestArrayElements(t *testing.T) {
	const one, two = `{"type":"ingress.event.regmod","sensor_id":1}`, `{"type":"ingress.event.regmod","sensor_id":2}`
	for _, element := range []string{"null", "5", "-1.5e3", "true", "false", "null, null"} {
		for _, body := range []string{"[" + one + "," + element + "," + two + "]", "[" + element + " ,\n" + one + "," + two + "]", "[" + one + "," + two + ", " + element + "\n]"} {
			var d events.Decoder
			got, rejects := d.Decode(&events.Message{Body: []byte(body)})
			if want := strings.Count(element, ",") + 1; len(got) != 2 || len(rejects) != want {
				t.Errorf("%s: %d events, %v, want %d rejects", body, len(got), rejects, want)
				continue
			}
			if !strings.Contains(rejects[0].Error(), strings.TrimSuffix(element, ", null")) {
				t.Errorf("%s: %v does not name the element", body, rejects[0])
			}
		}
	}
}

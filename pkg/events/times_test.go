package events

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTimes: a time is understood in every unit and form that occurs.
func TestTimeForms(t *testing.T) {
	t.Parallel()
	want := time.Date(2024, 9, 5, 8, 53, 20, 0, time.UTC)
	for _, written := range []string{
		"1725526400", `"1725526400"`, "1725526400.0", "1.7255264e9", "1725526400000", `"1725526400000"`, "1725526400000000",
		"1725526400000000000", "133700000000000000", `"133700000000000000"`,
		`"2024-09-05T08:53:20Z"`, `"2024-09-05 08:53:20"`, `"2024-09-05T10:53:20+02:00"`, `"2024-09-05 08:53:20 +0000 UTC"`,
		`"Thu, 05 Sep 2024 08:53:20 GMT"`, `"Thu, 05 Sep 2024 10:53:20 +0200"`, `"20240905T085320Z"`, `" 2024-09-05T08:53:20Z "`,
	} {
		body := fmt.Sprintf(`{"type":"ingress.event.procstart","timestamp":%s}`, written)
		events, _ := (&Decoder{}).Decode(&Message{Body: []byte(body)})
		got := events[0].Event.Time
		if !got.Equal(want) {
			t.Errorf("%s is %v, want %v", written, got, want)
		}
	}
	for _, written := range []string{"0", `""`, `"soon"`, "-5", `"1725526400x"`, "1e400", "99999999999999999999", "12345", `"2024-99-05T08:53:20Z"`, "null", "{}"} {
		body := fmt.Sprintf(`{"type":"ingress.event.procstart","timestamp":%s}`, written)
		events, _ := (&Decoder{}).Decode(&Message{Body: []byte(body)})
		if got := events[0].Event.Time; !got.IsZero() {
			t.Errorf("%s is %v, want an unknown time", written, got)
		}
	}
}

// TestTimeUnits: whatever the unit, a time between 1990 and 2100 is itself.
func TestTimeUnits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sec := rapid.Int64Range(earliest.Unix(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "seconds")
		nano := rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds")
		at := time.Unix(sec, nano).UTC()
		for _, c := range []struct {
			text string
			unit time.Duration
		}{
			{fmt.Sprint(sec), time.Second},
			{fmt.Sprintf("%d.%09d", sec, nano), time.Nanosecond},
			{fmt.Sprint(at.UnixMilli()), time.Millisecond},
			{fmt.Sprintf("%d.%06d", at.UnixMilli(), nano%1e6), time.Nanosecond},
			{fmt.Sprint(at.UnixMicro()), time.Microsecond},
			{fmt.Sprint(at.UnixNano()), time.Nanosecond},
			{fmt.Sprint(at.UnixNano()/100 + filetimeEpoch), 100 * time.Nanosecond},
			{at.Format(time.RFC3339Nano), time.Nanosecond},
			{at.Format(time.RFC1123), time.Second},
		} {
			if got, ok := parseTime(c.text); !ok || !got.Equal(at.Truncate(c.unit)) {
				t.Fatalf("%s is %v, want %v", c.text, got, at.Truncate(c.unit))
			}
		}
	})
}

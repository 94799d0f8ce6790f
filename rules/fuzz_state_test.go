package rules

import (
	"encoding/json"
	"testing"
	"time"

	"edrpipe/pkg/seal"
)

// FuzzState: what is read of a record of suppression or correlation can be decided on and
// written again.
func FuzzState(f *testing.F) {
	f.Add([]byte(`[{"job":"a","at":"2026-01-31T12:00:00Z"}]`))
	f.Add([]byte(`[{"job":"a","at":"2026-01-31T12:00:00Z","pending":true},{"job":"b","at":"2026-01-31T12:00:00Z","pending":true,"denied":{"by":"a","until":"2026-01-31T13:00:00Z"}}]`))
	f.Add([]byte(`{"events":[{"id":"e","at":"2026-01-31T12:00:00Z","value":"v","sensor":7}],"firings":[{"event":"e","at":"2026-01-31T12:00:00Z"}]}`))
	f.Add([]byte(`{"events":[],"fired":"2026-01-31T12:00:00Z","by":"e"}`))
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		var claims []claim
		if seal.Strict(data, &claims) == nil {
			claims, first, _ := decideClaim(claims, "new", now, time.Hour, 1)
			if _, again, added := decideClaim(claims, "new", now.Add(time.Hour), time.Hour, 1); again != first || added {
				t.Errorf("%s: %+v, and again %+v, added %v", data, first, again, added)
			}
		}
		var w window
		if seal.Strict(data, &w) != nil {
			return
		}
		w.add(&Correlate{Type: EventCount, GTE: 2, Timespan: time.Hour}, observed{Event: "new", At: now})
		if len(w.Events) > MaxEvents+1 && len(w.Events) > len(data) {
			t.Errorf("%d events are remembered", len(w.Events))
		}
		if _, err := json.Marshal(w); err != nil {
			t.Errorf("%s cannot be written again: %v", data, err)
		}
	})
}

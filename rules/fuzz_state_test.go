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
	f.Add([]byte(`{"events":[{"id":"e","at":"2026-01-31T12:00:00Z","value":"v","sensor":7}],"firings":[{"event":"e","at":"2026-01-31T12:00:00Z"}]}`))
	f.Add([]byte(`{"events":[],"fired":"2026-01-31T12:00:00Z","by":"e"}`))
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		var claims []claim
		if seal.Strict(data, &claims) == nil {
			if _, s, added := decideClaim(claims, "new", now, time.Hour, 1); s.Suppressed == added {
				t.Errorf("%s: suppressed %v, added %v", data, s.Suppressed, added)
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

package intake

import (
	"encoding/json"
	"testing"
	"time"

	"edrpipe/pkg/guard"
	"edrpipe/pkg/seal"
)

// FuzzCount: whatever a count of an endpoint's jobs holds, one job has one answer, also
// after it was written and read again.
func FuzzCount(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"entries":[{"unit":"a","at":"2026-01-31T12:00:00Z","pending":true}]}`))
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		var c guard.Count
		if seal.Strict(data, &c) != nil {
			return
		}
		first, _ := c.Take("new", 3, time.Hour, now)
		written, err := json.Marshal(c)
		if err != nil {
			return // a time that JSON does not have
		}
		var again guard.Count
		if err := seal.Strict(written, &again); err != nil {
			t.Fatalf("%s became %s: %v", data, written, err)
		}
		if second, _ := again.Take("new", 3, time.Hour, now.Add(time.Minute)); !second.Equal(first) {
			t.Errorf("%s: room again at %v, and then at %v", data, first, second)
		}
	})
}

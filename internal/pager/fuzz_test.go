package pager

import (
	"encoding/json"
	"testing"
	"time"
)

// FuzzRecent: a mark of any content keeps people from being told for a bounded time only.
func FuzzRecent(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{now, now.Add(-time.Hour), now.AddDate(3, 0, 0), {}} {
		mark, err := json.Marshal(at)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(mark, int64(4*time.Hour))
	}
	f.Add([]byte("null"), int64(time.Minute))
	f.Fuzz(func(t *testing.T, mark []byte, n int64) {
		repeat := time.Duration(n) % (30 * 24 * time.Hour)
		if repeat <= 0 {
			return
		}
		if !recent(mark, now, repeat) {
			var at time.Time
			if json.Unmarshal(mark, &at) == nil && !at.After(now) && now.Sub(at) < repeat {
				t.Fatalf("told at %v, and again within %v", at, repeat)
			}
			return
		}
		if later := now.Add(2 * repeat); recent(mark, later, repeat) {
			t.Errorf("mark %q is recent now and in %v", mark, 2*repeat)
		}
	})
}

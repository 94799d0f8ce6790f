//go:build linux && chaos

package chaos

import (
	"testing"
	"time"
)

// TestLoadCheckFindsPlantedFaults: it reports what grows, lags or is late, and not
// what is flat.
func TestLoadCheckFindsPlantedFaults(t *testing.T) {
	l := load{sensors: 100, rate: 1000, matches: 1, late: 3}
	inTime := []time.Duration{time.Millisecond}
	for _, tt := range []struct {
		name  string
		plant func(i int, s *sample)
		late  []time.Duration
		want  int
	}{
		{"flat", func(int, *sample) {}, inTime, 0},
		{"sent too slowly", func(_ int, s *sample) { s.events /= 2 }, inTime, 1},
		{"memory grows", func(i int, s *sample) { s.resident += float64(10 * i) }, inTime, 1},
		{"heap grows", func(i int, s *sample) { s.heap += float64(10 * i) }, inTime, 1},
		{"goroutines grow", func(i int, s *sample) { s.goroutines += float64(10 * i) }, inTime, 1},
		{"descriptors grow", func(i int, s *sample) { s.descriptors += float64(5 * i) }, inTime, 1},
		{"disk grows", func(i int, s *sample) { s.disk += float64(20 * i) }, inTime, 1},
		{"lag", func(i int, s *sample) { s.unsettled = float64(400 * i) }, inTime, 1},
		{"late", func(int, *sample) {}, []time.Duration{time.Second}, 1},
		{"nothing became a job", func(int, *sample) {}, nil, 1},
	} {
		var samples []sample
		for i := range 9 {
			s := sample{at: time.Duration(i) * 10 * time.Second, events: i * 10_000, resident: 50, heap: 10, goroutines: 50, descriptors: 20, disk: 40}
			tt.plant(i, &s)
			samples = append(samples, s)
		}
		if got := l.check(samples, tt.late); len(got) != tt.want {
			t.Errorf("%s: reported %q, want %d", tt.name, got, tt.want)
		}
	}
}

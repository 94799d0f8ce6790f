package jobs

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatJobsCostTheServer counts in virtual time; -v prints the table.
func TestWhatJobsCostTheServer(t *testing.T) {
	for _, c := range []struct {
		name          string
		jobs, sensors int
		gap           time.Duration
		most          float64 // requests per job beyond its commands
	}{
		{"200 jobs in 50 s on 8 sensors", 200, 8, 250 * time.Millisecond, 0.2},
		{"1,000 jobs at once on 200 sensors", 1000, 200, 0, 1},
		{"1,000 jobs at once on 1,000 sensors", 1000, 1000, 0, 4},
		{"100 jobs on 1 sensor, one each 10 min", 100, 1, 10 * time.Minute, 21}, // the sessions of other clients are counted each half minute
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := newFakeServer(10)
			srv.add(c.sensors, 30*time.Second)
			s, stop := start(t, Config{Server: srv})
			for _, id := range stream(t, s, c.jobs, c.sensors, c.gap) {
				wantEnd(t, s, id, Succeeded)
			}
			stop()
			commands := srv.seen().requests["command"]
			per := float64(srv.seen().requests["all"]-commands) / float64(c.jobs)
			if per > c.most {
				t.Errorf("%s: %.2f requests per job beyond its command, want at most %.1f", c.name, per, c.most)
			}
			t.Logf("| %s | %.2f | %.2f | %.3f | %d |", c.name, float64(commands)/float64(c.jobs), per,
				float64(srv.seen().opened)/float64(c.jobs), srv.seen().refused)
		})
	}
}

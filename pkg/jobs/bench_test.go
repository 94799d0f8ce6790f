package jobs

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// fill makes a queue of n jobs over so many sensors and 50 rules.
func fill(n, sensors int, online bool, now time.Time) *queue {
	q := newQueue(10 * time.Minute)
	for i := range n {
		sn := q.sensor(1 + i%sensors)
		sn.read = now
		sn.info = edr.Sensor{ID: sn.id, LiveResponse: true, NextCheckin: now.Add(time.Duration(sn.id%10) * time.Second), LastCheckin: now.Add(-30 * time.Second)}
		if !online {
			sn.offline = now
		}
		j := &Job{
			ID: fmt.Sprintf("%024x", i), Rule: fmt.Sprint("rule-", i%50), Submitter: "rule", Sensor: sn.id, State: Queued,
			Created: now.Add(time.Duration(i)), Updated: now, Deadline: now.Add(72 * time.Hour), Revision: uint64(i + 1),
			Steps: []actions.Step{{ID: "a", Uses: "test_read"}},
		}
		if !online {
			j.State, j.Reason = Parked, ReasonOffline
		}
		q.put(newEntry(j, sn, q.ageing), now)
	}
	return q
}

// BenchmarkDecisions measures how many times a second the dispatcher can say
// which of 100,000 queued jobs runs next.
func BenchmarkDecisions(b *testing.B) {
	elsewhere := func(int) bool { return false }
	for _, sensors := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("100000 jobs on %d sensors", sensors), func(b *testing.B) {
			now := time.Now()
			q := fill(100_000, sensors, true, now)
			next := uint64(200_000)
			for b.Loop() {
				c := q.choose(now, true, elsewhere)
				e := *c.job
				q.charge(c.job)
				q.remove(e.id, now)
				next++ // and another one comes in for it
				e.revision, e.created, e.rank = next, now, now.Add(time.Duration(next))
				q.put(&e, now)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// BenchmarkParkedMemory measures what a parked job costs beyond its record.
func BenchmarkParkedMemory(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		q := fill(100_000, 20_000, false, time.Now())
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/100_000, "B/job")
		runtime.KeepAlive(q)
	}
}

func TestParkedJobsCostLessThanAKibibyte(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	q := fill(20_000, 4_000, false, time.Now())
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := int64(after.HeapAlloc-before.HeapAlloc) / 20_000; per > 1024 {
		t.Errorf("a parked job costs %d bytes beyond its record", per)
	}
	runtime.KeepAlive(q)
}

// BenchmarkStart measures how long a start takes with 100,000 live and as many
// finished records on the bus.
func BenchmarkStart(b *testing.B) {
	k := newKV(b, newJetStream(b, b.TempDir()))
	const n, batch = 100_000, 500
	for i := 0; i < n; i += batch {
		js := make([]*Job, batch)
		for k := range js {
			js[k] = record(fmt.Sprintf("%024x", i+k))
		}
		if _, err := k.Create(b.Context(), js); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		seen := 0
		ctx, cancel := context.WithCancel(b.Context())
		err := k.Watch(ctx, func(c Change) {
			if seen++; c.Synced {
				cancel()
			}
		})
		if seen < n {
			b.Fatalf("saw %d of %d records: %v", seen, n, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
}

// BenchmarkCreate measures how fast jobs are recorded, one by one and in the
// atomic batches of a fetched batch of events.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batches of %d", size), func(b *testing.B) {
			k := newKV(b, newSyncedJetStream(b, b.TempDir()))
			n := 0
			for b.Loop() {
				js := make([]*Job, size)
				for i := range js {
					n++
					js[i] = record(fmt.Sprintf("%024x", n))
				}
				if _, err := k.Create(b.Context(), js); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

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
		{"100 jobs on 1 sensor, one each 10 min", 100, 1, 10 * time.Minute, 4},
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

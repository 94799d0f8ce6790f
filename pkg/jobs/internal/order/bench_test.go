package order

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/job"
)

// at is an endpoint of one server.
func at(n int) edr.Endpoint { return edr.Endpoint{Server: "hq", ID: strconv.Itoa(n)} }

// fill makes a queue of n jobs over so many sensors and 50 rules.
func fill(n, sensors int, online bool, now time.Time) *Queue {
	q := New(10 * time.Minute)
	for i := range n {
		sn := q.Sensor(at(1 + i%sensors))
		sn.Read = now
		sn.Info = edr.Sensor{ID: sn.Endpoint.ID, LiveResponse: true, NextCheckin: now.Add(time.Duration((1+i%sensors)%10) * time.Second), LastCheckin: now.Add(-30 * time.Second)}
		if !online {
			sn.Offline = now
		}
		j := &job.Job{
			ID: fmt.Sprintf("%024x", i), Rule: fmt.Sprint("rule-", i%50), Submitter: "rule", Endpoint: sn.Endpoint, State: job.Queued,
			Created: now.Add(time.Duration(i)), Updated: now, Deadline: now.Add(72 * time.Hour), Revision: uint64(i + 1),
			Steps: []actions.Step{{ID: "a", Uses: "test_read"}},
		}
		if !online {
			j.State, j.Reason = job.Parked, job.ReasonOffline
		}
		q.Put(q.NewEntry(j), now)
	}
	return q
}

// BenchmarkDecisions measures how many times a second the dispatcher can say
// which of 100,000 queued jobs runs next.
func BenchmarkDecisions(b *testing.B) {
	elsewhere := func(edr.Endpoint) bool { return false }
	for _, sensors := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("100000 jobs on %d sensors", sensors), func(b *testing.B) {
			now := time.Now()
			q := fill(100_000, sensors, true, now)
			next := uint64(200_000)
			for b.Loop() {
				c := q.Choose(now, true, elsewhere)
				e := *c.Job
				q.Charge(c.Job)
				q.Remove(e.ID, now)
				next++ // and another one comes in for it
				e.Revision, e.Created, e.rank = next, now, now.Add(time.Duration(next))
				q.Put(&e, now)
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

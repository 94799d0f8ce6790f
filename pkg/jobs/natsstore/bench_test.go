package natsstore

import (
	"context"
	"fmt"
	"testing"

	"edrpipe/pkg/jobs/job"
)

// BenchmarkStart measures how long a start takes with 100,000 live and as many
// finished records on the bus.
func BenchmarkStart(b *testing.B) {
	k := newKV(b, newJetStream(b, b.TempDir()))
	const n, batch = 100_000, 500
	for i := 0; i < n; i += batch {
		js := make([]*job.Job, batch)
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
		err := k.Watch(ctx, func(c job.Change) {
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
				js := make([]*job.Job, size)
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

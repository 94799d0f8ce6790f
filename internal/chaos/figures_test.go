//go:build linux && chaos

package chaos

import (
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const listOnly = `
rules:
  - id: list
    on: process_start
    when: process.name == "evil.exe"
    steps: [ { uses: list_processes } ]
`

// TestQueuedJobs measures what QUEUED waiting jobs cost in memory, and how long
// a killed replica takes to know them all again.
func TestQueuedJobs(t *testing.T) {
	n := number(t, "QUEUED", 100_000)
	w := newWorld(t, shape{
		nodes: 1, replicas: 1, sync: time.Second, direct: true, rules: listOnly, settings: `log: { level: error }`,
		sim: edrsim.Config{Fleet: []edrsim.SensorSpec{{Count: 1000, Power: edrsim.Power{AsleepUntil: 1000 * time.Hour}}}},
	})
	resident := func() float64 { return w.metrics(w.replicas[0], 0)["process_resident_memory_bytes"] }
	live := func() map[jobs.State]int { return w.overview(w.replicas[0], 0).Jobs }
	known := func() bool { of := live(); return of[jobs.Queued]+of[jobs.Parked] == n }
	empty, begun := resident(), time.Now()
	lines := make([][]byte, n)
	for i := range lines {
		lines[i] = []byte(procstart(2+i%999, 1000+i, "evil.exe", begun))
	}
	for chunk := range slices.Chunk(lines, 10_000) { // the stream of events is bounded: what is not read in time would go
		w.must(w.publish(t.Context(), chunk))
		eventually(t, 5*time.Minute, func() bool { left, err := w.waiting(t.Context()); return err == nil && left == 0 })
	}
	recorded := time.Since(begun)
	eventually(t, 5*time.Minute, func() bool { return live()[jobs.Parked] == n }) // their sensors sleep
	parked, busy := time.Since(begun), w.metrics(w.replicas[0], 0)["process_cpu_seconds_total"]
	t.Logf("%d events → as many recorded jobs in %v: %.0f jobs/s; all parked after %v; %.2f ms CPU each; resident %.0f MiB before, %.0f MiB after: %.1f KiB a job", n, recorded.Round(time.Millisecond),
		float64(n)/recorded.Seconds(), parked.Round(time.Millisecond), 1000*busy/float64(n), empty/(1<<20), resident()/(1<<20), (resident()-empty)/float64(n)/1024)
	w.replicas[0].kill()
	begun = time.Now()
	w.must(w.replicas[0].start())
	w.must(w.replicas[0].up(time.Minute))
	up := time.Since(begun)
	eventually(t, time.Minute, known)
	t.Logf("after kill -9: listening after %v, all %d jobs known after %v; resident %.0f MiB", up.Round(time.Millisecond), n, time.Since(begun).Round(10*time.Millisecond), resident()/(1<<20))
}

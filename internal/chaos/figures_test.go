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

// TestQueuedJobs measures how fast QUEUED matches become recorded jobs, what those
// cost while they wait, and how long a killed replica takes to know them all again.
// The bus flushes every SYNC; 0s: at each write.
func TestQueuedJobs(t *testing.T) {
	n := number(t, "QUEUED", 100_000)
	w := newWorld(t, shape{
		nodes: 1, replicas: 1, sync: length(t, "SYNC", time.Second), direct: true, rules: listOnly, settings: `log: { level: error }`, poll: 30 * time.Second,
		sim: edrsim.Config{Fleet: []edrsim.SensorSpec{{Count: 1000, Power: edrsim.Power{AsleepUntil: 1000 * time.Hour}}}},
	})
	resident := func() float64 { return w.metrics(w.replicas[0], 0)["process_resident_memory_bytes"] / 1024 }
	live := func() map[jobs.State]int { return w.overview(w.replicas[0], 0).Jobs }
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
	parked, full := time.Since(begun), resident()
	t.Logf("%d events → as many recorded jobs in %v: %.0f jobs/s; all parked after %v; %v of the replica's CPU and %v of the bus's each", n, recorded.Round(time.Millisecond),
		float64(n)/recorded.Seconds(), parked.Round(time.Millisecond), w.replicas[0].Spent()/time.Duration(n), w.nodes[0].Spent()/time.Duration(n))
	t.Logf("resident %.0f MiB before, %.0f MiB after: %.1f KiB a job", empty/1024, full/1024, (full-empty)/float64(n))
	w.replicas[0].Kill()
	bus := w.nodes[0].Spent()
	begun = time.Now()
	w.must(w.replicas[0].Start())
	w.must(w.replicas[0].Up(time.Minute))
	up := time.Since(begun)
	eventually(t, time.Minute, func() bool { of := live(); return of[jobs.Queued]+of[jobs.Parked] == n })
	t.Logf("after kill -9: listening after %v, all %d jobs known after %v, for %v of the replica's CPU and %v of the bus's; resident %.0f MiB", up.Round(time.Millisecond), n,
		time.Since(begun).Round(10*time.Millisecond), w.replicas[0].Spent(), w.nodes[0].Spent()-bus, resident()/1024)
}

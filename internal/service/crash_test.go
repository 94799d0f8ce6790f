package service

import (
	"fmt"
	"testing"
	"time"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

const runOnEveryStart = `
rules:
  - id: run-something
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [process.pid], for: 1m }
    steps:
      - { uses: list_processes }
      - { id: once, uses: create_process, with: { program: whoami.exe, args: ["n${{ process.pid }}"] } }
`

// start is a process start as the forwarder prints it.
func start(sensor, pid int) string {
	return fmt.Sprintf(`{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":"H%d","timestamp":%d,"pid":%d,"path":"c:\\temp\\evil.exe","process_path":"c:\\temp\\evil.exe","process_guid":"%08x-0000-%04x-01da-ff710e784000","cb_server":"sim"}`,
		sensor, sensor, time.Now().Unix(), pid, sensor, pid)
}

// TestKilledWithJobsQueued is the promise of durability: kill -9 while many jobs
// are queued and some run; afterwards every job ends, none is lost, and nothing
// that changes an endpoint ran twice.
func TestKilledWithJobsQueued(t *testing.T) {
	if testing.Short() {
		t.Skip("takes several seconds")
	}
	const sensors, total = 8, 200
	sim := edrsim.New(edrsim.Config{Sensors: sensors, TimeScale: 20, CheckIn: 20 * time.Second, Fleet: fleet(sensors, time.Second)}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, runOnEveryStart, "")
	c := p.start()
	var lines []string
	for i := range total {
		lines = append(lines, start(i%sensors+1, 1000+i))
	}
	c.post(lines...)
	for _, after := range []int64{20, 120} { // commands that ran before the next crash
		await(t, time.Minute, "commands", func() bool { return sim.Counters().Commands >= after })
		c.kill()
		c = p.start()
	}
	all := c.allEnded(total, 2*time.Minute)
	if len(all) != total {
		t.Errorf("jobs = %d, want %d", len(all), total)
	}
	count := map[jobs.State]int{}
	for _, j := range all {
		count[j.State]++
	}
	t.Logf("outcomes: %v", count)
	if count[jobs.Succeeded]+count[jobs.Unknown] != total {
		t.Errorf("outcomes = %v, want only succeeded, or unknown for the step that a crash hit", count)
	}
	if count[jobs.Unknown] > 2*sensors {
		t.Errorf("%d jobs are unknown, and two crashes can have hit at most %d", count[jobs.Unknown], 2*sensors)
	}
	ran := 0
	for _, e := range sim.Counters().Executions {
		if e.Command != "create process" {
			continue
		}
		ran++
		if e.Count != 1 {
			t.Errorf("%q ran %d times on sensor %d", e.Object, e.Count, e.SensorID)
		}
	}
	if ran < count[jobs.Succeeded] {
		t.Errorf("%d processes were created for %d jobs that succeeded", ran, count[jobs.Succeeded])
	}
	if err := c.stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if open := sim.Counters().Sessions.Open; open != 0 {
		t.Errorf("%d sessions are left open after a clean stop", open)
	}
}

// fleet is n endpoints that take about that long, in their own time, for a command.
func fleet(n int, latency time.Duration) []edrsim.SensorSpec {
	return []edrsim.SensorSpec{{Count: n, OS: "windows", Latency: edrsim.Latency{Min: latency / 2, Max: latency}}}
}

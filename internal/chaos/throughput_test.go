//go:build linux && chaos

package chaos

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"edrpipe/internal/workload"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
)

// TestThroughput measures how fast one, two and three replicas settle EVENTS events
// that the bus has already when they begin, by RULES rules: neither the publisher
// nor the EDR server is the bound, as hardly an event is matched.
func TestThroughput(t *testing.T) {
	n := number(t, "EVENTS", 400_000)
	lines := workload.JSON(n, 1)
	rules := string(workload.YAML(workload.Rules(number(t, "RULES", 1000), 1)))
	for _, nodes := range []int{1, 3} {
		for replicas := 1; replicas <= 3; replicas++ {
			t.Run(fmt.Sprintf("nodes=%d/replicas=%d", nodes, replicas), func(t *testing.T) {
				w := newWorld(t, shape{nodes: nodes, replicas: replicas, sensors: 10, sync: time.Second, direct: true, events: 512, rules: rules})
				w.preload(lines)
				t.Log(w.drained("events", n, func() int {
					c, err := w.bus.JetStream().Consumer(t.Context(), bus.StreamEvents, "rules")
					if err != nil {
						return 0
					}
					return int(c.CachedInfo().AckFloor.Stream)
				}))
			})
		}
	}
}

// TestJobThroughput measures how many jobs one, two and three replicas end a second,
// of JOBS that are all there at the start. Each is one Live Response command of 50 to
// 150 ms on a sensor that checks in every half second; sensor 1 is protected. With few SESSIONS these are the
// bound, with many the processors.
func TestJobThroughput(t *testing.T) {
	n := number(t, "JOBS", 900)
	for _, sessions := range []int{10, number(t, "SESSIONS", 100)} {
		for replicas := 1; replicas <= 3; replicas++ {
			t.Run(fmt.Sprintf("sessions=%d/replicas=%d", sessions, replicas), func(t *testing.T) {
				w := newWorld(t, shape{
					nodes: 1, replicas: replicas, sync: time.Second, direct: true, rules: listOnly, sessions: sessions, poll: 30 * time.Second,
					sim: edrsim.Config{CheckIn: time.Second / 2, Slots: sessions, Fleet: []edrsim.SensorSpec{{
						Count: 1 + n/2, OS: "windows", Latency: edrsim.Latency{Min: 50 * time.Millisecond, Max: 150 * time.Millisecond},
					}}},
				})
				lines := make([][]byte, n)
				for i := range lines {
					lines[i] = []byte(procstart(2+i%(n/2), 1000+i, "evil.exe", time.Now()))
				}
				w.preload(lines)
				t.Log(w.drained("jobs", n, func() int {
					results, err := w.bus.JetStream().Stream(t.Context(), bus.StreamResults)
					if err != nil {
						return 0
					}
					return int(results.CachedInfo().State.Msgs)
				}))
				s := w.servers[0].sim.Counters().Sessions
				t.Logf("%d sessions, at most %d at once", s.Opened, s.Peak)
			})
		}
	}
}

// preload puts events on the bus while the replicas, which are up, are stopped.
func (w *world) preload(lines [][]byte) {
	w.t.Helper()
	for _, r := range w.replicas {
		r.Signal(syscall.SIGSTOP)
	}
	w.must(w.publish(w.t.Context(), lines))
}

// drained lets the replicas go on, waits until n of something are done and tells, as
// a row of docs/lab-book.md, at what rate and what each has cost: between the first tenth
// and the last.
func (w *world) drained(what string, n int, done func() int) string {
	w.t.Helper()
	for _, r := range w.replicas {
		r.Signal(syscall.SIGCONT)
	}
	type mark struct {
		at   time.Time
		done int
		spent
	}
	var marks []mark
	for _, share := range []int{n / 10, n - n/10, n} {
		eventually(w.t, 10*time.Minute, func() bool { return done() >= share })
		marks = append(marks, mark{time.Now(), done(), w.spent()})
	}
	from, to := marks[0], marks[1]
	if from.done == to.done {
		w.t.Fatalf("all %d %s are done at the first look: too few to measure", n, what)
	}
	each := func(a, b time.Duration) time.Duration {
		return ((b - a) / time.Duration(to.done-from.done)).Round(100 * time.Nanosecond)
	}
	return fmt.Sprintf("| %d bus nodes, %d replicas, %d sessions | %d %s, %.0f/s | processor each: replicas %v, bus %v, this test and simulator %v |", len(w.nodes), len(w.replicas), w.shape.sessions,
		n, what, float64(to.done-from.done)/to.at.Sub(from.at).Seconds(),
		each(from.replicas, to.replicas), each(from.nodes, to.nodes), each(from.own, to.own))
}

// spent is processor time.
type spent struct{ replicas, nodes, own time.Duration }

func (w *world) spent() (s spent) {
	w.t.Helper()
	for _, r := range w.replicas {
		s.replicas += r.Spent()
	}
	for _, n := range w.nodes {
		s.nodes += n.Spent()
	}
	var own syscall.Rusage
	w.must(syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	s.own = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return s
}

//go:build linux && chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/workload"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// TestLoad is a fleet of 50,000 sensors and RATE events a second for DURATION:
// what memory, goroutines, descriptors, disk and lag do, and how long an event
// takes to be a recorded job. With MATCHES a second of the events are matched.
func TestLoad(t *testing.T) {
	rate, matches := number(t, "RATE", 10_000), number(t, "MATCHES", 2)
	duration, err := time.ParseDuration(os.Getenv("DURATION"))
	if err != nil {
		duration = time.Minute
	}
	w := newWorld(t, shape{
		nodes: 1, replicas: 1, sensors: number(t, "SENSORS", 50_000), sync: time.Second, direct: true,
		sim: edrsim.Config{TimeScale: 20, CheckIn: 20 * time.Second}, settings: `log: { level: warn }`,
		rules: rulesFile + strings.TrimPrefix(string(workload.YAML(workload.Rules(100, 1))), "rules:\n"),
	})
	others := workload.JSON(20_000, 1)
	sentAt := map[string]time.Time{}
	t.Logf("%s\n%s", meterHead, w.meter(0, 0))
	begun, n, pid := time.Now(), 0, 1000
	for second := 0; time.Since(begun) < duration; second++ {
		lines := make([][]byte, 0, rate)
		for range rate - matches {
			line := others[n%len(others)]
			lines = append(lines, fmt.Appendf(nil, `%s,"n":%d}`, line[:len(line)-1], n)) // the bus recognises repetitions
			n++
		}
		for i := range matches {
			s := sent{kind: hit, sensor: 2 + (pid*7919)%(w.shape.sensors-2), pid: pid}
			s.line = procstart(s.sensor, s.pid, "evil.exe", time.Now())
			lines = slices.Insert(lines, (i+1)*len(lines)/(matches+1), []byte(s.line))
			pid++
		}
		due := begun.Add(time.Duration(second) * time.Second)
		time.Sleep(time.Until(due))
		w.must(w.publishTimed(t.Context(), lines, rate, sentAt))
		if every := max(1, int(duration.Seconds()/12)); second%every == every-1 {
			t.Log(w.meter(time.Since(begun), (second+1)*rate))
		}
	}
	took := time.Since(begun)
	eventually(t, 2*time.Minute, func() bool { n, err := w.waiting(t.Context()); return err == nil && n == 0 })
	caught := time.Since(begun) - took
	t.Log(w.meter(time.Since(begun), n))
	var late []time.Duration
	w.must(w.each(t.Context(), bus.StreamJobs, func(subject string, _ time.Time, data []byte) error {
		var notice struct{ Data jobs.TransitionNotice }
		if strings.HasSuffix(subject, "."+string(jobs.Queued)) && json.Unmarshal(data, &notice) == nil {
			if at, ok := sentAt[strconv.Itoa(notice.Data.Sensor)]; ok {
				late = append(late, notice.Data.At.Sub(at))
				delete(sentAt, strconv.Itoa(notice.Data.Sensor))
			}
		}
		return nil
	}))
	slices.Sort(late)
	t.Logf("%d events in %v: %.0f/s; settled %v after the last", n+pid-1000, took.Round(time.Millisecond), float64(n+pid-1000)/took.Seconds(), caught.Round(time.Millisecond))
	if len(late) > 0 {
		t.Logf("event published → job recorded, %d of %d matches: p50 %v, p99 %v, max %v", len(late), pid-1000, late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	}
}

const meterHead = "time, events, resident MiB, heap MiB, goroutines, descriptors, disk MiB, lag"

// meter reads the replica's own metrics, its disk and the lag.
func (w *world) meter(at time.Duration, events int) string {
	m := w.metrics(w.replicas[0], 0)
	lag, err := w.waiting(w.t.Context())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%4.0fs %9d %6.0f %6.0f %6.0f %6.0f %7.0f %7d", at.Seconds(), events, m["process_resident_memory_bytes"]/(1<<20), m["go_memstats_heap_alloc_bytes"]/(1<<20),
		m["go_goroutines"], m["process_open_fds"], float64(size(w.t, w.dir))/(1<<20), lag)
}

// metrics are those of a replica that have no labels.
func (w *world) metrics(p *process, i int) map[string]float64 {
	w.t.Helper()
	token, err := os.ReadFile(filepath.Join(w.dir, fmt.Sprintf("data%d", i), "admin.token"))
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, p.address()+"/metrics", nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	text, err := readAll(res.Body)
	w.must(err)
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				all[name] = v
			}
		}
	}
	return all
}

// size is what a directory holds; files may go while it is read.
func size(t testing.TB, dir string) (n int64) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

//go:build linux && chaos

package chaos

import (
	"bytes"
	"cmp"
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

	"edrpipe/internal/web"
	"edrpipe/internal/workload"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
)

// load is a fleet and what it sends.
type load struct {
	sensors, rate, matches int // matches a second, of rate
	late                   int // events a second of newcomers, while they come
	duration               time.Duration
}

// Newcomers come in waves: in each minute, for the first while. The facts of all of a
// wave arrive at one moment, before the next wave.
const (
	wave     = time.Minute
	comeFor  = 20 * time.Second
	toldFrom = 25 * time.Second
)

// newcomersOf is how many newcomers each of two servers needs for the loads.
func newcomersOf(phases []load) (n int) {
	for _, l := range phases {
		n += l.late * int(comeFor/time.Second) * int(l.duration/wave+1)
	}
	return (n/2 + 3) &^ 1
}

// TestLoad is two servers, one of each kind, with 50,000 sensors each and RATE events a
// second, of which MATCHES are matched, for DURATION; SECOND is the kind of the second.
// For a third of each minute LATE more a second are of endpoints whose facts are told only
// afterwards: their jobs have to wait, and to go on by themselves. Memory, goroutines,
// descriptors and disk have to stay
// flat, the lag bounded, and an event has to be a recorded job within 100 ms. With
// FIRST, for so long before it the rate is twice that, and is held to the same. The
// bus flushes every SYNC (10s), the relaxed mode for much volume.
func TestLoad(t *testing.T) {
	l := load{number(t, "SENSORS", 50_000), number(t, "RATE", 10_000), number(t, "MATCHES", 2), number(t, "LATE", 5), length(t, "DURATION", time.Minute)}
	phases := []load{l}
	if first := length(t, "FIRST", 0); first > 0 {
		phases = []load{{l.sensors, 2 * l.rate, l.matches, l.late, first}, l}
	}
	w := newWorld(t, shape{
		nodes: 1, replicas: 1, sensors: l.sensors, newcomers: newcomersOf(phases), second: cmp.Or(os.Getenv("SECOND"), edrsim.KindCloud), sync: length(t, "SYNC", 10*time.Second), direct: true,
		sim: edrsim.Config{TimeScale: 20, CheckIn: 20 * time.Second}, settings: `log: { level: warn }`,
		rules: rulesFile + strings.TrimPrefix(string(workload.YAML(workload.Rules(100, 1))), "rules:\n"),
	})
	s := sender{world: w, others: workload.JSON(20_000, 1)}
	for i, line := range s.others {
		s.others[i] = bytes.Replace(line, []byte(`"cb_server":"edr01"`), []byte(`"cb_server":"sim"`), 1)
	}
	for _, l := range phases {
		s.run(l)
	}
	s.verdict()
}

// verdict waits until all jobs have ended and holds what happened to every promise, and
// to that of endpoints whose facts come late.
func (s *sender) verdict() {
	s.must(s.settle(s.t.Context(), 5*time.Minute))
	e, err := s.gather(s.t.Context(), &ledger{accepted: s.sent})
	s.must(err)
	broken := append(e.check(), e.waited()...)
	for _, p := range broken[:min(len(broken), 20)] {
		s.t.Error(p)
	}
	s.t.Logf("%d promises broken:\n%s", len(broken), e.summary())
}

// length reads a duration from the environment.
func length(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// sender sends loads, one after another; no event of it comes twice.
type sender struct {
	*world
	others  [][]byte
	n, hits int // counts those that no rule wants, and those that one does
	fresh   int // of these, those of newcomers
	sent    []sent
}

// run sends a load, holds the service to what it should do under it and prints
// what it did, as a row of docs/lab-book.md at the end.
func (s *sender) run(l load) {
	t := s.t
	sentAt := map[string]time.Time{}
	t.Log(meterHead)
	begun := time.Now()
	samples := s.send(l, sentAt)
	took := time.Since(begun)
	eventually(t, 2*time.Minute, func() bool { n, err := s.waiting(t.Context()); return err == nil && n == 0 })
	caught := time.Since(begun) - took
	late := s.lateness(sentAt)
	last := samples[len(samples)-1]
	t.Logf("%d events in %v: %.0f/s; settled %v after the last", last.events, took.Round(time.Millisecond), float64(last.events)/took.Seconds(), caught.Round(time.Millisecond))
	t.Log(s.footprint(s.hits))
	for _, p := range l.check(samples, late) {
		t.Error(p)
	}
	t.Logf("| 2 × %d sensors, %.0f events/s, %d rules, %d matches/s, %v | resident %.0f MiB, heap %.0f MiB, %.0f goroutines, %.0f descriptors, disk %.0f MiB | lag at most %.0f | %d jobs: p50 %v, p99 %v, max %v |",
		l.sensors, float64(last.events)/took.Seconds(), 103, l.matches, l.duration, last.resident, last.heap, last.goroutines, last.descriptors, last.disk, most(samples, sample.lagged), len(late), quantile(late, 50), quantile(late, 99), quantile(late, 100))
}

// send sends the load and meters it every ten seconds.
func (s *sender) send(l load, sentAt map[string]time.Time) (samples []sample) {
	begun, before := time.Now(), s.n+s.hits
	for second := 0; time.Since(begun) < l.duration; second++ {
		lines := make([][]byte, 0, l.rate)
		for range l.rate - l.matches {
			line := s.others[s.n%len(s.others)]
			lines = append(lines, fmt.Appendf(nil, `%s,"n":%d}`, line[:len(line)-1], s.n)) // the bus recognises repetitions
			s.n++
		}
		jobOf := map[int]string{} // by the place of its event
		for i := range l.matches {
			e, err := s.servers[i%len(s.servers)].event(hit, s.hits, 2+(s.hits*7919)%(l.sensors-2))
			s.must(err)
			at := (i + 1) * l.rate / (l.matches + 1)
			lines, jobOf[at] = slices.Insert(lines, at, []byte(e.line)), e.job
			s.sent = append(s.sent, e)
			s.hits++
		}
		lines = append(lines, s.newcomers(l, begun, time.Duration(second)*time.Second)...)
		time.Sleep(time.Until(begun.Add(time.Duration(second) * time.Second)))
		s.must(s.publishTimed(s.t.Context(), lines, l.rate, func(i int) {
			if job := jobOf[i]; job != "" {
				sentAt[job] = time.Now()
			}
		}))
		if second%10 == 9 {
			samples = append(samples, s.meter(time.Since(begun), s.n+s.hits-before))
			s.t.Log(samples[len(samples)-1])
		}
	}
	return append(samples, s.meter(time.Since(begun), s.n+s.hits-before))
}

// newcomers are the events of one second that come from endpoints whose facts arrive
// late: by turns of each server, and of one that the rule means and one that it does not.
func (s *sender) newcomers(l load, begun time.Time, at time.Duration) (lines [][]byte) {
	if at%wave >= comeFor {
		return nil
	}
	for range l.late {
		of, k := s.servers[s.fresh%len(s.servers)], []kind{late, spared}[s.fresh/len(s.servers)%2]
		sensor := of.newcomers.next(k)
		if sensor == 0 {
			s.t.Fatalf("%s has no newcomer left for event %d", of.name, s.fresh)
		}
		e, err := of.event(k, s.hits, sensor)
		s.must(err)
		of.newcomers.tell(sensor, begun.Add(at.Truncate(wave)+toldFrom))
		lines, s.sent = append(lines, []byte(e.line)), append(s.sent, e)
		s.fresh++
		s.hits++
	}
	return lines
}

// footprint is what events and finished jobs take of the bus's disk.
func (w *world) footprint(finished int) string {
	bytes := map[string]float64{}
	for _, name := range []string{bus.StreamEvents, bus.StreamJobs, bus.StreamResults, bus.StreamAudit, "KV_" + bus.BucketFinished} {
		s, err := w.bus.JetStream().Stream(w.t.Context(), name)
		w.must(err)
		state := s.CachedInfo().State
		bytes[name] = float64(state.Bytes)
		if name == bus.StreamEvents {
			bytes[name] /= float64(max(state.Msgs, 1))
		}
	}
	kept := bytes[bus.StreamJobs] + bytes[bus.StreamResults] + bytes[bus.StreamAudit] + bytes["KV_"+bus.BucketFinished]
	return fmt.Sprintf("on the bus's disk: %.0f bytes an event, %.1f KiB a finished job of two steps", bytes[bus.StreamEvents], kept/float64(max(finished, 1))/1024)
}

// lateness is how long each event took to be a recorded job, sorted.
func (w *world) lateness(sentAt map[string]time.Time) (late []time.Duration) {
	w.must(w.each(w.t.Context(), bus.StreamJobs, func(subject string, _ time.Time, data []byte) error {
		var notice struct{ Data jobs.TransitionNotice }
		if strings.HasSuffix(subject, "."+string(jobs.Queued)) && json.Unmarshal(data, &notice) == nil {
			if at, ok := sentAt[notice.Data.Job]; ok {
				late = append(late, notice.Data.At.Sub(at))
				delete(sentAt, notice.Data.Job)
			}
		}
		return nil
	}))
	slices.Sort(late)
	return late
}

// quantile of sorted durations, in percent.
func quantile(sorted []time.Duration, q int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*q/100, len(sorted)-1)].Round(10 * time.Microsecond)
}

// sample is what the replica, its disk and the bus say at one moment.
type sample struct {
	at                                                       time.Duration
	events                                                   int
	resident, heap, goroutines, descriptors, disk, unsettled float64 // MiB or numbers
}

const meterHead = "time, events, resident MiB, heap MiB, goroutines, descriptors, disk MiB, lag"

func (s sample) String() string {
	return fmt.Sprintf("%4.0fs %9d %6.0f %6.0f %6.0f %6.0f %7.0f %7.0f", s.at.Seconds(), s.events, s.resident, s.heap, s.goroutines, s.descriptors, s.disk, s.unsettled)
}

func (s sample) lagged() float64 { return s.unsettled }

func (w *world) meter(at time.Duration, events int) sample {
	m := w.metrics(w.replicas[0], 0)
	lag, err := w.waiting(w.t.Context())
	w.must(err)
	return sample{
		at, events, m["process_resident_memory_bytes"] / (1 << 20), m["go_memstats_heap_alloc_bytes"] / (1 << 20),
		m["go_goroutines"], m["process_open_fds"], float64(size(w.t, w.dir)) / (1 << 20), float64(lag),
	}
}

// check lists what was not flat, not bounded or not in time.
func (l load) check(samples []sample, late []time.Duration) (broken []string) {
	if last := samples[len(samples)-1]; float64(last.events) < .95*float64(l.rate)*last.at.Seconds() {
		broken = append(broken, fmt.Sprintf("%d events were sent in %v, want %d a second", last.events, last.at.Round(time.Second), l.rate))
	}
	if lag, bound := most(samples, sample.lagged), float64(l.rate); lag > bound {
		broken = append(broken, fmt.Sprintf("lag %.0f events, bounded would be one second's %.0f", lag, bound))
	}
	if p99 := quantile(late, 99); p99 > 100*time.Millisecond {
		broken = append(broken, fmt.Sprintf("p99 from event to job %v, want 100ms", p99))
	}
	if len(late) == 0 {
		broken = append(broken, "no event has become a job")
	}
	if len(samples) < 6 {
		return append(broken, fmt.Sprintf("%d samples: too short to tell whether anything is flat", len(samples)))
	}
	// The first third warms up: streams fill to their bounds, pools grow.
	middle, last := samples[len(samples)/3:2*len(samples)/3], samples[2*len(samples)/3:]
	jobsBetween := (float64(l.matches) + float64(l.late)*comeFor.Seconds()/wave.Seconds()) * (last[len(last)/2].at - middle[len(middle)/2].at).Seconds()
	for _, m := range []struct {
		name  string
		of    func(sample) float64
		slack float64 // beyond a tenth
	}{
		{"resident memory (MiB)", func(s sample) float64 { return s.resident }, 8},
		{"heap (MiB)", func(s sample) float64 { return s.heap }, 8},
		{"goroutines", func(s sample) float64 { return s.goroutines }, 10},
		{"descriptors", func(s sample) float64 { return s.descriptors }, 5},
		{"disk (MiB)", func(s sample) float64 { return s.disk }, 8 + jobsBetween*keptPerJob}, // jobs are kept on purpose
	} {
		if a, b := median(middle, m.of), median(last, m.of); b > 1.1*a+m.slack {
			broken = append(broken, fmt.Sprintf("%s is not flat: %.1f in the middle third, %.1f in the last", m.name, a, b))
		}
	}
	return broken
}

// keptPerJob is the MiB on disk that a finished job may leave: its record, notices,
// result and audit entries.
const keptPerJob = 64.0 / 1024

func most(samples []sample, of func(sample) float64) (greatest float64) {
	for _, s := range samples {
		greatest = max(greatest, of(s))
	}
	return greatest
}

func median(samples []sample, of func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// metrics are what a replica says of itself, by name and labels.
func (w *world) metrics(p *process, i int) map[string]float64 {
	w.t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(w.ask(p, i, "/metrics")) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), " "); found {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				all[name] = v
			}
		}
	}
	return all
}

// overview is the state of a replica as it is when asked, where metrics are up to
// two seconds old.
func (w *world) overview(p *process, i int) (o web.Overview) {
	w.t.Helper()
	w.must(json.Unmarshal([]byte(w.ask(p, i, "/api/v1/overview")), &o))
	return o
}

// ask reads a page of the i-th replica.
func (w *world) ask(p *process, i int, path string) string {
	w.t.Helper()
	token, err := os.ReadFile(filepath.Join(w.dir, fmt.Sprintf("data%d", i), "admin.token"))
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, p.URL()+path, nil)
	w.must(err)
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	text, err := readAll(res.Body)
	w.must(err)
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s: %s", path, res.Status, text)
	}
	return text
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

package console

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"edrpipe/internal/telemetry"
	"edrpipe/internal/web"
	"edrpipe/pkg/jobs"
)

// history keeps the last hours of a few counters, for the dashboard's charts.
type history struct {
	metrics *telemetry.Metrics

	mu     sync.Mutex
	totals counts
	steps  [historySteps]counts // what each step added; a ring
	next   int
	known  int      // steps that were counted since the start
	recent [6]rated // the counter of events every two seconds, for the rate
	turn   int
}

// counts are the counters that charts show.
type counts struct{ events, matches, jobs, failed float64 }

type rated struct {
	at     time.Time
	events float64
}

// The charts show up to a day; it is kept in steps of two minutes, and shown in at most
// chartSteps.
const (
	historyStep  = 2 * time.Minute
	historySteps = 720
	chartSteps   = 180
)

// SampleEvery is how often Sample is called.
const SampleEvery = 2 * time.Second

// Sample records the counters for the charts; n counts the calls, from 1.
func (c *Console) Sample(now time.Time, n int) {
	c.history.sample(now, n%int(historyStep/SampleEvery) == 0)
}

// sample records the counters; step ends a step of the charts.
func (h *history) sample(now time.Time, step bool) {
	c := counts{events: Total(h.metrics.Events), matches: Total(h.metrics.Matches), jobs: Total(h.metrics.Ended)}
	for state, n := range ByLabel(h.metrics.Ended, "state") {
		if state == string(jobs.Failed) || state == string(jobs.Unknown) {
			c.failed += n
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent[h.turn] = rated{now, c.events}
	h.turn = (h.turn + 1) % len(h.recent)
	h.steps[h.next] = counts{c.events - h.totals.events, c.matches - h.totals.matches, c.jobs - h.totals.jobs, c.failed - h.totals.failed}
	if step {
		h.totals, h.next, h.known = c, (h.next+1)%historySteps, min(h.known+1, historySteps-1)
	}
}

// rate is events per second over the last ten seconds.
func (h *history) rate() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	newest := h.recent[(h.turn+len(h.recent)-1)%len(h.recent)]
	oldest := h.recent[h.turn]
	if oldest.at.IsZero() {
		oldest = h.recent[0]
	}
	if d := newest.at.Sub(oldest.at).Seconds(); d > 0 {
		return (newest.events - oldest.events) / d
	}
	return 0
}

// last is the counters of the last hours.
func (h *history) last(hours int) web.History {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(hours*int(time.Hour/historyStep), historySteps)
	each := (n + chartSteps - 1) / chartSteps
	out := web.History{Step: each * int(historyStep.Seconds()), End: time.Now(), Known: (h.known + each) / each}
	for i := range n / each {
		var sum counts
		for j := range each {
			c := h.steps[(h.next+1+historySteps-n+i*each+j)%historySteps]
			sum = counts{sum.events + c.events, sum.matches + c.matches, sum.jobs + c.jobs, sum.failed + c.failed}
		}
		out.Events, out.Matches = append(out.Events, sum.events), append(out.Matches, sum.matches)
		out.Jobs, out.Failed = append(out.Jobs, sum.jobs), append(out.Failed, sum.failed)
	}
	return out
}

func (h *history) ended() map[jobs.State]float64 {
	out := map[jobs.State]float64{}
	for state, n := range ByLabel(h.metrics.Ended, "state") {
		out[jobs.State(state)] = n
	}
	return out
}

// Total adds up a counter over all its labels.
func Total(c prometheus.Collector) float64 {
	sum := 0.0
	for _, n := range ByLabel(c, "") {
		sum += n
	}
	return sum
}

// ByLabel adds up a counter for each value of a label.
func ByLabel(c prometheus.Collector, label string) map[string]float64 {
	ch := make(chan prometheus.Metric, 1024)
	go func() { c.Collect(ch); close(ch) }()
	out := map[string]float64{}
	for m := range ch {
		var d dto.Metric
		if m.Write(&d) != nil {
			continue // a metric that cannot be read is not shown
		}
		key := ""
		for _, l := range d.GetLabel() {
			if l.GetName() == label {
				key = l.GetValue()
			}
		}
		out[key] += d.GetCounter().GetValue() + d.GetGauge().GetValue()
	}
	return out
}

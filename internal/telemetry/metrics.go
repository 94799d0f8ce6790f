package telemetry

import (
	"math"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"edrpipe/internal/health"
	"edrpipe/pkg/jobs"
)

// Metrics are the service's counters and histograms. Labels are bounded: rules
// are as many as are loaded, the rest are named values of the code. Sensors,
// jobs and events are never labels.
type Metrics struct {
	Registry *prometheus.Registry

	Messages  *prometheus.CounterVec // transport
	Events    prometheus.Counter
	Decoded   prometheus.Counter
	Rejects   *prometheus.CounterVec // reason
	Matches   *prometheus.CounterVec // rule
	Decisions *prometheus.CounterVec // rule, reason: matches that made no job
	Errors    *prometheus.CounterVec // rule: evaluations that failed
	Batches   prometheus.Histogram   // messages recorded at once

	Records, RecordsLimit prometheus.Gauge       // of suppression and correlation
	Bounds                *prometheus.CounterVec // rule, reason: events of endpoints that are at a bound

	OtherServer *prometheus.CounterVec // server: events of those that no configured one accepts, at most 21 names

	Ended *prometheus.CounterVec // state, reason
	Steps *prometheus.CounterVec // action, state
	Live  *prometheus.GaugeVec   // state

	UndoFailed prometheus.Counter // isolations and the like that were to end and did not

	EventToMatch prometheus.Histogram
	EventToJob   prometheus.Histogram
	JobToStart   prometheus.Histogram
	JobToCommand prometheus.Histogram
	JobToEnd     prometheus.Histogram
	StepTime     *prometheus.HistogramVec // action

	ServerUp, Slots, SlotLimit, Foreign *prometheus.GaugeVec // server

	BusUp       prometheus.Gauge
	Quarantined *prometheus.GaugeVec // bucket
	Checks      *prometheus.GaugeVec // check, state: 1 for the state that it has

	DiskFree, DiskFloor, Held prometheus.Gauge       // of the embedded bus
	StreamStuck               *prometheus.GaugeVec   // stream
	Repairs                   *prometheus.CounterVec // stream, what
	CanaryAge                 prometheus.Gauge
	Breakers                  *prometheus.GaugeVec // rule: 1 while it is open

	Unresolved prometheus.Gauge // jobs whose outcome is unknown until people resolve them, of all replicas

	Lag, Unacknowledged, Redelivered, DeadLetters prometheus.Gauge       // of the bus, for all replicas
	Reloads                                       *prometheus.CounterVec // outcome
	Rules                                         prometheus.Gauge
}

// latency covers a millisecond to three days: from a match to a sleeping laptop.
var latency = []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400, 259200}

// New makes the metrics on a registry of their own.
func New() *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "edrpipe_" + name, Help: help}, labels)
		m.Registry.MustRegister(c)
		return c
	}
	single := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "edrpipe_" + name, Help: help})
		m.Registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "edrpipe_" + name, Help: help})
		m.Registry.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "edrpipe_" + name, Help: help, Buckets: buckets})
		m.Registry.MustRegister(h)
		return h
	}
	m.Messages = counter("messages_total", "Messages that sources delivered.", "transport")
	m.Events = single("events_total", "Events of the kinds that rules name.")
	m.Decoded = single("events_decoded_total", "Events that were decoded in full, because a rule was a candidate.")
	m.Rejects = counter("rejects_total", "Input that could not be used and is kept as a dead letter.", "reason")
	m.Matches = counter("matches_total", "Events that a rule matched.", "rule")
	m.Decisions = counter("decisions_total", "Matches that made no job, by the reason.", "rule", "reason")
	m.Records = gauge("state_records", "Records of suppression and correlation.")
	m.RecordsLimit = gauge("state_records_limit", "Records of suppression and correlation that there may be.")
	m.Bounds = counter("bounds_total", "Events that meet a bound of their endpoint or rule, by the reason.", "rule", "reason")
	m.OtherServer = counter("other_server_events_total", "Events that rules may want, of servers that no configured one accepts, by the name in the event.", "server")
	m.Errors = counter("rule_errors_total", "Evaluations of a rule that failed.", "rule")
	m.Batches = histogram("batch_messages", "Messages whose jobs were recorded at once.", []float64{1, 2, 5, 10, 20, 50, 100, 250})
	m.Ended = counter("jobs_ended_total", "Jobs that came to their end.", "state", "reason")
	m.Steps = counter("steps_total", "Steps that ended.", "action", "state")
	m.UndoFailed = single("undo_failed_total", "Jobs that were to take something back, such as an isolation, and did not.")
	m.EventToMatch = histogram("event_to_match_seconds", "From an event's arrival to its match.", latency)
	m.EventToJob = histogram("event_to_job_seconds", "From an event's arrival to its recorded job.", latency)
	m.JobToStart = histogram("job_to_start_seconds", "From a recorded job to its first step.", latency)
	m.JobToCommand = histogram("job_to_first_command_seconds", "From a recorded job to the end of its first Live Response command.", latency)
	m.JobToEnd = histogram("job_to_end_seconds", "From a recorded job to its end.", latency)
	ofServer := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_" + name, Help: help}, []string{"server"})
		m.Registry.MustRegister(g)
		return g
	}
	m.ServerUp = ofServer("edr_up", "1 while the EDR server answers and lets us in; 0 also while that is not known.")
	m.Slots = ofServer("slots_used", "Live Response sessions that we hold.")
	m.SlotLimit = ofServer("slots_limit", "Live Response sessions that we may hold.")
	m.Foreign = ofServer("slots_foreign", "Live Response sessions that other clients hold.")
	m.Lag = gauge("events_waiting", "Messages on the bus that no replica has read yet.")
	m.Unacknowledged = gauge("events_unacknowledged", "Messages that replicas have read and not settled yet.")
	m.Redelivered = gauge("events_redelivered", "Messages under way that were delivered before.")
	m.DeadLetters = gauge("dead_letters", "Dead letters on the bus.")
	m.Unresolved = gauge("outcomes_unknown", "Jobs of the last week that ended without a known outcome and were not resolved.")
	m.Quarantined = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_quarantined_records", Help: "Records that replicas share and that do not verify: what depends on them is held."}, []string{"bucket"})
	m.Registry.MustRegister(m.Quarantined)
	m.CanaryAge = gauge("canary_age_seconds", "Time since a canary event passed the whole intake of this replica.")
	m.BusUp = gauge("bus_connected", "1 while the bus can be reached.")
	m.DiskFree = gauge("disk_free_bytes", "What the disk of the embedded bus has left.")
	m.DiskFloor = gauge("disk_floor_bytes", "Below so many free bytes no new event is taken.")
	m.Held = gauge("intake_held", "1 while no new event is taken because the disk has no room.")
	m.StreamStuck = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_bus_stream_stuck", Help: "1 for a stream of the bus that stores no writes."}, []string{"stream"})
	m.Checks = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_health", Help: "1 for the state that a check of the service's health has, 0 for the others."}, []string{"check", "state"})
	m.Breakers = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_breaker_open", Help: "1 for a rule whose breaker is open: it records and does not act."}, []string{"rule"})
	m.Registry.MustRegister(m.Breakers)
	m.Repairs = counter("bus_repairs_total", "Streams of the bus that were missing or changed and were set back.", "stream", "what")
	// What is not known yet is no number.
	for _, g := range []prometheus.Gauge{m.Lag, m.Unacknowledged, m.Redelivered, m.DeadLetters, m.Unresolved, m.CanaryAge, m.DiskFree, m.DiskFloor} {
		g.Set(math.NaN())
	}
	m.Reloads = counter("rule_reloads_total", "Loads of the rule files.", "outcome")
	m.Rules = gauge("rules_loaded", "Rules in force.")
	m.Live = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "edrpipe_jobs", Help: "Jobs that have not ended."}, []string{"state"})
	m.StepTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "edrpipe_step_seconds", Help: "How long steps take.", Buckets: latency}, []string{"action"})
	m.Registry.MustRegister(m.Live, m.StreamStuck, m.Checks, m.StepTime, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Report counts what the scheduler reports.
func (m *Metrics) Report(r jobs.Report) {
	switch {
	case r.Final:
		m.Ended.WithLabelValues(string(r.Job.State), string(r.Job.Reason)).Inc()
		if r.Job.Undoes() && r.Job.State != jobs.Succeeded {
			m.UndoFailed.Inc()
		}
		m.JobToEnd.Observe(r.Job.Ended.Sub(r.Job.Created).Seconds())
	case r.Step != nil:
		m.Steps.WithLabelValues(r.Step.Uses, string(r.Step.State)).Inc()
		if !r.Step.Started.IsZero() {
			m.StepTime.WithLabelValues(r.Step.Uses).Observe(r.Step.Ended.Sub(r.Step.Started).Seconds())
		}
	case r.Transition != nil && r.Transition.State == jobs.Running && r.Job.Started.Equal(r.Transition.At):
		m.JobToStart.Observe(r.Transition.At.Sub(r.Job.Created).Seconds())
	}
}

// Command counts a command that has come to its end.
func (m *Metrics) Command(c jobs.Commanded, now time.Time) {
	if c.First {
		m.JobToCommand.Observe(now.Sub(c.Job.Created).Seconds())
	}
}

// Health shows the state of each check.
func (m *Metrics) Health(all []health.Check) {
	for _, c := range all {
		for _, state := range health.States() {
			v := 0.0
			if state == c.State {
				v = 1
			}
			m.Checks.WithLabelValues(c.Name, string(state)).Set(v)
		}
	}
}

// Since observes the seconds from t until now, where t is known.
func Since(h prometheus.Observer, t, now time.Time) {
	if !t.IsZero() {
		h.Observe(max(0, now.Sub(t).Seconds()))
	}
}

// descName extracts the name from a metric's description, which has no accessor for it.
var descName = regexp.MustCompile(`fqName: "([^"]+)"`)

// Names lists the service's own metrics, also those without a value yet.
func (m *Metrics) Names() []string {
	ch := make(chan *prometheus.Desc, 1024)
	m.Registry.Describe(ch)
	close(ch)
	var names []string
	for d := range ch {
		if found := descName.FindStringSubmatch(d.String()); found != nil {
			names = append(names, found[1])
		}
	}
	return names
}

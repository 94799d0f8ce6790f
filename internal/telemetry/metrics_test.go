package telemetry_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"edrpipe/internal/health"
	"edrpipe/internal/telemetry"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/jobs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// values are the service's own series that are not zero, by name and labels; of a
// histogram, the sum of what was observed.
func values(t *testing.T, m *telemetry.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "edrpipe_")
		if !ours {
			continue
		}
		for _, s := range f.GetMetric() {
			v := s.GetCounter().GetValue() + s.GetGauge().GetValue()
			if f.GetType() == dto.MetricType_HISTOGRAM {
				if s.GetHistogram().GetSampleCount() == 0 {
					continue
				}
				all[name+labels(s)+" count"] = float64(s.GetHistogram().GetSampleCount())
				v = s.GetHistogram().GetSampleSum()
			}
			if v != 0 && !math.IsNaN(v) { // NaN: not known yet
				all[name+labels(s)] = v
			}
		}
	}
	return all
}

func labels(m *dto.Metric) string {
	var all []string
	for _, l := range m.GetLabel() {
		all = append(all, l.GetName()+"="+l.GetValue())
	}
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestReportCounts(t *testing.T) {
	t.Parallel()
	undo := []actions.Step{{ID: "undo", Uses: "isolate"}}
	ended := func(change func(*jobs.Job)) jobs.Report {
		j := &jobs.Job{ID: "j", State: jobs.Succeeded, Created: noon, Ended: noon.Add(7 * time.Second)}
		change(j)
		return jobs.Report{Job: j, Final: true}
	}
	for name, tt := range map[string]struct {
		report jobs.Report
		want   map[string]float64
	}{
		"a job that succeeded": {ended(func(*jobs.Job) {}), map[string]float64{
			"jobs_ended_total{reason=,state=succeeded}": 1, "job_to_end_seconds": 7, "job_to_end_seconds count": 1}},
		"one that failed": {ended(func(j *jobs.Job) { j.State, j.Reason = jobs.Failed, "timeout" }), map[string]float64{
			"jobs_ended_total{reason=timeout,state=failed}": 1, "job_to_end_seconds": 7, "job_to_end_seconds count": 1}},
		"an undo that succeeded": {ended(func(j *jobs.Job) { j.Of, j.Steps = "other", undo }), map[string]float64{
			"jobs_ended_total{reason=,state=succeeded}": 1, "job_to_end_seconds": 7, "job_to_end_seconds count": 1}},
		"an undo that did not": {ended(func(j *jobs.Job) { j.Of, j.Steps, j.State = "other", undo, jobs.Unknown }), map[string]float64{
			"jobs_ended_total{reason=,state=unknown}": 1, "undo_failed_total": 1, "job_to_end_seconds": 7, "job_to_end_seconds count": 1}},
		"a retry that did not is no undo": {ended(func(j *jobs.Job) { j.Of, j.State = "other", jobs.Failed }), map[string]float64{
			"jobs_ended_total{reason=,state=failed}": 1, "job_to_end_seconds": 7, "job_to_end_seconds count": 1}},
		"a step": {jobs.Report{Job: &jobs.Job{}, Step: &jobs.StepRecord{Uses: "kill_process", State: jobs.StepFailed, Started: noon, Ended: noon.Add(2 * time.Second)}}, map[string]float64{
			"steps_total{action=kill_process,state=failed}": 1, "step_seconds{action=kill_process}": 2, "step_seconds{action=kill_process} count": 1}},
		"a step that never began has no time": {jobs.Report{Job: &jobs.Job{}, Step: &jobs.StepRecord{Uses: "wait", State: jobs.StepSkipped, Ended: noon}}, map[string]float64{
			"steps_total{action=wait,state=skipped}": 1}},
		"the first start": {jobs.Report{Job: &jobs.Job{Created: noon, Started: noon.Add(time.Second)}, Transition: &jobs.Transition{State: jobs.Running, At: noon.Add(time.Second)}}, map[string]float64{
			"job_to_start_seconds": 1, "job_to_start_seconds count": 1}},
		"a later start is not the first": {jobs.Report{Job: &jobs.Job{Created: noon, Started: noon.Add(time.Second)}, Transition: &jobs.Transition{State: jobs.Running, At: noon.Add(time.Hour)}}, map[string]float64{}},
		"waiting is no start":            {jobs.Report{Job: &jobs.Job{Created: noon}, Transition: &jobs.Transition{State: jobs.Queued}}, map[string]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := telemetry.New()
			m.Report(tt.report)
			if diff := cmp.Diff(tt.want, values(t, m)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFirstCommand: how long until the first command has ended; later ones of the job
// are not counted.
func TestFirstCommand(t *testing.T) {
	t.Parallel()
	m := telemetry.New()
	m.Command(jobs.Commanded{Job: &jobs.Job{Created: noon}, First: true}, noon.Add(3*time.Second))
	m.Command(jobs.Commanded{Job: &jobs.Job{Created: noon}}, noon.Add(time.Hour))
	if diff := cmp.Diff(map[string]float64{"job_to_first_command_seconds": 3, "job_to_first_command_seconds count": 1}, values(t, m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHealth: of each check exactly one state is 1, also after it has changed.
func TestHealth(t *testing.T) {
	t.Parallel()
	m := telemetry.New()
	m.Health([]health.Check{health.Good("bus", ""), health.Bad("edr/hq", health.Unknown, "", "")})
	m.Health([]health.Check{health.Bad("bus", health.Degraded, "", ""), health.Bad("edr/hq", health.Failed, "", "")})
	if diff := cmp.Diff(map[string]float64{"health{check=bus,state=degraded}": 1, "health{check=edr/hq,state=failed}": 1}, values(t, m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSince(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from  time.Time
		sum   float64
		count uint64
	}{
		"a while":               {noon.Add(-time.Minute), 60, 1},
		"a clock that is ahead": {noon.Add(time.Minute), 0, 1},
		"unknown":               {time.Time{}, 0, 0},
	} {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x"})
		telemetry.Since(h, tt.from, noon)
		var got dto.Metric
		if err := h.Write(&got); err != nil {
			t.Fatal(err)
		}
		if g := got.GetHistogram(); g.GetSampleSum() != tt.sum || g.GetSampleCount() != tt.count {
			t.Errorf("%s: %v in %d observations, want %v in %d", name, g.GetSampleSum(), g.GetSampleCount(), tt.sum, tt.count)
		}
	}
}

// TestNames: also what has no value yet is listed, with the prefix; and each once.
func TestNames(t *testing.T) {
	t.Parallel()
	names := telemetry.New().Names()
	for _, want := range []string{"edrpipe_matches_total", "edrpipe_step_seconds", "edrpipe_health", "edrpipe_undo_failed_total", "edrpipe_quarantined_records"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not listed", want)
		}
	}
	var ours []string
	for _, n := range names {
		if strings.HasPrefix(n, "edrpipe_") {
			ours = append(ours, n)
		}
	}
	if slices.Sort(ours); len(slices.Compact(slices.Clone(ours))) != len(ours) {
		t.Errorf("a name comes twice: %q", ours)
	}
}

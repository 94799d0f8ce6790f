package telemetry_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"edrpipe/internal/telemetry"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs"
)

// spans is a collector's end: what was sent to it, by name.
type spans struct {
	mu   sync.Mutex
	all  map[string]*tracepb.Span
	path string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.path = r.URL.Path
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				s.all[span.Name] = span
			}
		}
	}
}

// traced runs f with tracing to a collector of its own and gives what arrived there.
func traced(t *testing.T, path string, f func(*telemetry.Tracing)) *spans {
	t.Helper()
	got := &spans{all: map[string]*tracepb.Span{}}
	srv := httptest.NewServer(got)
	defer srv.Close()
	tr, err := telemetry.NewTracing(t.Context(), srv.URL+path, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	f(tr)
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func event(id string) *events.Event {
	return &events.Event{Event: events.Meta{ID: id, Type: "t", Received: noon}, Sensor: events.Sensor{IDs: []string{"42"}}}
}

// TestTraceFitsTogether: parts that were sent by different processes are one trace,
// each below what it belongs to.
func TestTraceFitsTogether(t *testing.T) {
	e := event("e-1")
	j := &jobs.Job{ID: "j-1", Rule: "r", Endpoint: edr.Endpoint{Server: "hq", ID: "42"}, State: jobs.Failed, Detail: "no such file", Created: noon, Ended: noon.Add(5 * time.Second)}
	step := jobs.StepRecord{ID: "s", Uses: "get_file", State: jobs.StepOK, Started: noon.Add(time.Second), Ended: noon.Add(2 * time.Second)}
	first := traced(t, "", func(tr *telemetry.Tracing) {
		j.Trace = tr.Parent(e)
		tr.Matched(e, "r", noon.Add(time.Millisecond))
		tr.Recorded(e, noon.Add(2*time.Millisecond))
	})
	second := traced(t, "/", func(tr *telemetry.Tracing) {
		tr.Command(jobs.Commanded{Job: j, Step: step, Sent: noon.Add(time.Second), Command: edr.Command{Name: "get file", SessionID: "7", ID: 0, ResultCode: 0x80070002}}, noon.Add(2*time.Second))
		tr.Report(jobs.Report{Job: j, Step: &step})
		tr.Report(jobs.Report{Job: j, Final: true})
	})
	if first.path != "/v1/traces" || second.path != "/v1/traces" {
		t.Errorf("sent to %q and %q", first.path, second.path)
	}
	tree := map[string]string{}
	id := func(b []byte) string { return hex.EncodeToString(b) }
	all := map[string]*tracepb.Span{}
	for _, s := range []*spans{first, second} {
		for name, span := range s.all {
			all[name] = span
		}
	}
	byID := map[string]string{}
	for name, s := range all {
		byID[id(s.SpanId)] = name
		if got, want := id(s.TraceId), strings.Split(j.Trace, "-")[1]; got != want {
			t.Errorf("%s is of trace %s, want %s", name, got, want)
		}
	}
	for name, s := range all {
		tree[name] = byID[id(s.ParentSpanId)]
	}
	want := map[string]string{"event": "", "match": "event", "job": "event", "step get_file": "job", "command get file": "step get_file"}
	if diff := cmp.Diff(want, tree); diff != "" {
		t.Errorf("what is below what (-want +got):\n%s", diff)
	}
	for name, message := range map[string]string{"job": "no such file", "command get file": "0x80070002", "step get_file": "", "match": ""} {
		if got := all[name].GetStatus().GetMessage(); got != message {
			t.Errorf("%s failed with %q, want %q", name, got, message)
		}
	}
	if s := all["step get_file"]; s.StartTimeUnixNano != uint64(step.Started.UnixNano()) || s.EndTimeUnixNano != uint64(step.Ended.UnixNano()) {
		t.Errorf("the step took from %d to %d", s.StartTimeUnixNano, s.EndTimeUnixNano)
	}
}

// TestJobsWithoutATraceOfTheirOwn: a job that a person submitted, or whose record has no
// usable parent, is a root in a trace of its own, the same for each of its parts.
func TestJobsWithoutATraceOfTheirOwn(t *testing.T) {
	for _, parent := range []string{"", "00-short-01", "00-" + strings.Repeat("z", 32) + "-" + strings.Repeat("1", 16) + "-01", "00-" + strings.Repeat("1", 32) + "-" + strings.Repeat("1", 15) + "-01"} {
		j := &jobs.Job{ID: "j", Trace: parent, Created: noon, Ended: noon}
		step := &jobs.StepRecord{ID: "s", Uses: "u", Started: noon, Ended: noon}
		got := traced(t, "/custom", func(tr *telemetry.Tracing) {
			tr.Report(jobs.Report{Job: j, Step: step})
			tr.Report(jobs.Report{Job: j, Final: true})
			tr.Report(jobs.Report{Job: j, Step: &jobs.StepRecord{ID: "skipped", Uses: "skipped"}}) // never began
		})
		if got.path != "/custom" {
			t.Errorf("sent to %q", got.path)
		}
		job, st := got.all["job"], got.all["step u"]
		if len(got.all) != 2 || job == nil || st == nil {
			t.Fatalf("trace %q: sent %v", parent, got.all)
		}
		if len(job.ParentSpanId) != 0 || string(job.TraceId) != string(st.TraceId) || string(st.ParentSpanId) != string(job.SpanId) {
			t.Errorf("trace %q: job %v, step %v", parent, job, st)
		}
	}
}

// TestItemsOfAForeachAreSteps: steps of one id have an own span for each item.
func TestItemsOfAForeachAreSteps(t *testing.T) {
	ids := map[string]bool{}
	for item := range 3 {
		got := traced(t, "", func(tr *telemetry.Tracing) {
			tr.Report(jobs.Report{Job: &jobs.Job{ID: "j"}, Step: &jobs.StepRecord{ID: "s", Item: item, Uses: "u", Started: noon, Ended: noon}})
		})
		ids[fmt.Sprint(got.all["step u"].GetSpanId())] = true
	}
	if len(ids) != 3 {
		t.Errorf("%d ids of three items", len(ids))
	}
}

func TestTracingEndpoints(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"localhost:4318", "grpc://a:4317", "http://", "://x", "http://a b"} {
		if tr, err := telemetry.NewTracing(t.Context(), bad, ""); err == nil || !strings.Contains(err.Error(), "tracing.endpoint") || tr != nil {
			t.Errorf("%q is taken: %v", bad, err)
		}
	}
}

// TestNoTracing: without an endpoint nothing is sent, and every call is allowed.
func TestNoTracing(t *testing.T) {
	t.Parallel()
	tr, err := telemetry.NewTracing(t.Context(), "", "")
	if err != nil || tr != nil {
		t.Fatalf("%v, %v", tr, err)
	}
	e := event("e")
	if tr.Parent(e) != "" {
		t.Error("an event has a parent without tracing")
	}
	tr.Matched(e, "r", noon)
	tr.Recorded(e, noon)
	tr.Report(jobs.Report{Job: &jobs.Job{}, Final: true})
	tr.Command(jobs.Commanded{Job: &jobs.Job{}}, noon)
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
}

package service

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"edrpipe/pkg/edrsim"
)

// otlp takes spans as a collector does.
type otlp struct {
	mu    sync.Mutex
	spans map[string]seenSpan // by name
}

type seenSpan struct{ trace, id, parent string }

func (o *otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zip, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = zip
	}
	data, err := io.ReadAll(body)
	var req collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(data, &req) != nil {
		http.Error(w, "not spans", http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				o.spans[s.Name] = seenSpan{hex.EncodeToString(s.TraceId), hex.EncodeToString(s.SpanId), hex.EncodeToString(s.ParentSpanId)}
			}
		}
	}
}

func (o *otlp) get(name string) (seenSpan, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s, ok := o.spans[name]
	return s, ok
}

// TestTraceFromEventToCommand: each part hangs below the one that caused it, in
// one trace.
func TestTraceFromEventToCommand(t *testing.T) {
	t.Parallel()
	o := &otlp{spans: map[string]seenSpan{}}
	srv := httptest.NewServer(o)
	defer srv.Close()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	p := newPlace(t, sim, listProcesses, "")
	appendTo(t, filepath.Join(p.dir, "pipeline.yaml"), "\ntracing: { endpoint: "+srv.URL+" }\n")
	t.Run("the service", func(t *testing.T) {
		p.t = t
		r := p.run()
		r.publish(start(1, 7))
		await(t, 20*time.Second, "the job", func() bool { return len(r.jobs("ended")) == 1 })
	}) // its end sends the last spans
	p.t = t
	parent := ""
	root, ok := o.get("event")
	if !ok {
		t.Fatalf("no span of the event among %v", o.spans)
	}
	for _, name := range []string{"event", "job", "step list_processes", "command process list"} {
		s, ok := o.get(name)
		if !ok {
			t.Fatalf("no span %q among %v", name, o.spans)
		}
		if s.trace != root.trace || strings.Trim(s.parent, "0") != strings.Trim(parent, "0") {
			t.Errorf("span %q = %+v, want it in trace %s below %q", name, s, root.trace, parent)
		}
		parent = s.id
	}
	if m, _ := o.get("match"); m.parent != root.id {
		t.Errorf("the match hangs below %q, want the event %q", m.parent, root.id)
	}
}

func appendTo(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

package http_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"edrpipe/internal/fixtures"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/http"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "s3cret"

// ingest is a source behind a real HTTP server, and what it delivered.
type ingest struct {
	url    string
	client *nethttp.Client
	settle func(events.Message) error // by the reader; nil: everything is safe at once

	mu  sync.Mutex
	got []events.Message
}

func start(t *testing.T, change func(*http.Config)) *ingest {
	t.Helper()
	c := http.Config{Tokens: []string{"old", token}, Server: "edr01", Log: zerolog.Nop()}
	if change != nil {
		change(&c)
	}
	src, err := http.New(c)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(src)
	in := &ingest{url: srv.URL, client: srv.Client()}
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		if err := src.Read(ctx, in.handle); err != nil {
			t.Errorf("read: %v", err)
		}
	})
	t.Cleanup(func() { srv.Close(); cancel(); reading.Wait() })
	for { // until Read has begun
		resp, err := in.client.Post(in.url, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != nethttp.StatusServiceUnavailable {
			return in
		}
	}
}

func (in *ingest) handle(_ context.Context, m events.Message) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.settle != nil {
		err := in.settle(m)
		m.Settle(err)
		if err != nil {
			return nil
		}
	} else {
		m.Settle(nil)
	}
	in.got = append(in.got, m)
	return nil
}

// bodies is what was delivered since the last call.
func (in *ingest) bodies() (out []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, m := range in.got {
		out = append(out, string(m.Body))
	}
	in.got = nil
	return out
}

type request struct {
	path, body string
	header     map[string]string
}

func (in *ingest) post(t *testing.T, r request) (status int, answer string, header nethttp.Header) {
	t.Helper()
	// A reader of unknown length makes the client send chunks, as the forwarder does.
	req, err := nethttp.NewRequestWithContext(t.Context(), nethttp.MethodPost, in.url+r.path, io.MultiReader(strings.NewReader(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	for k, v := range r.header {
		req.Header.Set(k, v)
		if v == "" {
			req.Header.Del(k)
		}
	}
	resp, err := in.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(raw)), resp.Header
}

func zip(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func envelope(file string, events ...string) string {
	return fmt.Sprintf(`{"filename": %q, "service": "carbonblack", "alerts":[%s]}`, file, strings.Join(events, "\n, "))
}

func TestPosts(t *testing.T) {
	in := start(t, nil)
	one, two := `{"type":"feed.ingress.hit.process","sensor_id":42}`, `{"type":"watchlist.hit.process"}`
	both := []string{one, two}
	b64 := func(s string) string {
		return `"` + base64.StdEncoding.EncodeToString([]byte(s+"\n")) + `"`
	}
	hec := func(e string) string { return `{"sourcetype":"bit9:carbonblack:json","event":` + e + `}` }
	ids := regexp.MustCompile(`,"(ids|unusable)":\[.*\]`) // TestAnswersNameTheEvents
	for _, c := range []struct {
		name   string
		in     request
		status int
		answer string
		want   []string
	}{
		{"forwarder's envelope", request{body: envelope("/spool/1", one, two)}, 200, `{"accepted":2}`, both},
		{"its array template", request{body: "[" + one + "\n, " + two + "]"}, 200, `{"accepted":2}`, both},
		{"its base64 variant", request{body: envelope("/spool/2", b64(one), b64(two))}, 200, `{"accepted":2}`, both},
		{"its gzip", request{body: zip(t, envelope("/spool/3", one, two)), header: map[string]string{"Content-Encoding": "gzip"}}, 200, `{"accepted":2}`, both},
		{"its heartbeat", request{body: envelope("/spool/4")}, 200, `{"accepted":0}`, nil},
		{"one object", request{body: one}, 200, `{"accepted":1}`, both[:1]},
		{"lines", request{body: one + "\r\n" + two + "\r\n", header: map[string]string{"Content-Type": "application/x-ndjson"}}, 200, `{"accepted":2}`, both},
		{"broken among good ones", request{body: envelope("/spool/5", one, `{"type" 7}`, two)}, 200, `{"accepted":3}`, []string{one, `{"type" 7}`, two}},
		{"nothing but broken", request{body: "hello"}, 400, `{"error":"there is no event in the body"}`, nil},
		{"empty", request{}, 400, `{"error":"there is no event in the body"}`, nil},
		{"half a gzip", request{body: zip(t, one+" ")[:20], header: map[string]string{"Content-Encoding": "gzip"}}, 400, `{"error":"the body ends too early: unexpected EOF"}`, nil},
		{"unknown encoding", request{body: one, header: map[string]string{"Content-Encoding": "br"}}, 415, `{"error":"Content-Encoding \"br\" is not known: gzip or none"}`, nil},
		{"the older token", request{body: one + " ", header: map[string]string{"Authorization": "Bearer old"}}, 200, `{"accepted":1}`, both[:1]},
		{"without a token", request{body: one, header: map[string]string{"Authorization": ""}}, 401, `{"error":"a token is needed: Authorization: Bearer … or Splunk …"}`, nil},
		{"wrong token", request{body: one, header: map[string]string{"Authorization": "Bearer guess"}}, 403, `{"error":"the token is not valid"}`, nil},

		{"Splunk", request{path: "/services/collector/event", body: hec(one) + hec(two), header: map[string]string{"Authorization": "Splunk " + token}}, 200, `{"text":"Success","code":0}`, both},
		{"Splunk, event as text", request{path: "/x/services/collector", body: `{"event":"{\"a\":1}"}`}, 200, `{"text":"Success","code":0}`, []string{`{"a":1}`}},
		{"Splunk, one frame broken", request{path: "/services/collector", body: hec(one) + "\n" + `{"event":` + "\n" + hec(two)}, 200, `{"text":"Success","code":0}`, []string{one, `{"event":`, two}},
		{"Splunk, raw", request{path: "/services/collector/raw", body: one + "\n"}, 200, `{"text":"Success","code":0}`, both[:1]},
		{"Splunk, no frame", request{path: "/services/collector", body: one + "  "}, 400, `{"text":"Invalid data format","code":6}`, nil},
		{"Splunk, empty", request{path: "/services/collector"}, 400, `{"text":"No data","code":5}`, nil},
		{"Splunk, no token", request{path: "/services/collector", body: hec(one), header: map[string]string{"Authorization": ""}}, 401, `{"text":"Token is required","code":2}`, nil},
		{"Splunk, wrong token", request{path: "/services/collector", body: hec(one), header: map[string]string{"Authorization": "Splunk no"}}, 403, `{"text":"Invalid token","code":4}`, nil},

		{"CloudEvent", request{body: `{"specversion":"1.0","id":"1","source":"s","type":"edr","data":` + one + `}`, header: map[string]string{"Content-Type": "application/cloudevents+json; charset=utf-8"}}, 200, `{"accepted":1}`, both[:1]},
		{"CloudEvents in a batch", request{body: `[{"specversion":"1.0","id":"2","source":"s","type":"edr","data":` + one + `},{"specversion":"1.0","id":"3","source":"s","type":"edr","data_base64":` + strings.ReplaceAll(b64(two), "Cg==", "") + `}]`, header: map[string]string{"Content-Type": "application/cloudevents-batch+json"}}, 200, `{"accepted":2}`, nil},
		{"CloudEvent in headers", request{body: two, header: map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "4", "Ce-Source": "s", "Ce-Type": "edr"}}, 200, `{"accepted":1}`, both[1:]},
		{"no CloudEvent in it", request{body: one, header: map[string]string{"Content-Type": "application/cloudevents+json"}}, 400, `{"error":"there is no CloudEvent with data in the body"}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer, _ := in.post(t, c.in)
			if answer = ids.ReplaceAllString(answer, ""); status != c.status || answer != c.answer {
				t.Errorf("answer %d %s, want %d %s", status, answer, c.status, c.answer)
			}
			got := in.bodies()
			if c.name == "CloudEvents in a batch" {
				if len(got) != 2 || got[0] != one || strings.TrimSpace(got[1]) != two {
					t.Errorf("delivered %q, want %q", got, both)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("delivered (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnswersNameTheEvents: the ids are those that the events have on the bus, of what
// is no event the answer says why, and a bulk is not decoded twice.
func TestAnswersNameTheEvents(t *testing.T) {
	in := start(t, nil)
	var onBus []string
	in.settle = func(m events.Message) error {
		decoded, _ := new(events.Decoder).Decode(&m)
		for _, e := range decoded {
			onBus = append(onBus, e.Event.ID)
		}
		return nil
	}
	one, two := `{"type":"feed.ingress.hit.process","sensor_id":42}`, `{"type":"watchlist.hit.process","sensor_id":43}`
	post := func(body string) (a struct {
		Accepted int
		IDs      []string
		Unusable []struct {
			Message int
			Reason  string
		}
	}) {
		t.Helper()
		onBus = nil
		_, text, _ := in.post(t, request{body: body})
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return a
	}
	first := post(envelope("/spool/1", one, `{"type" 7}`, two))
	if len(first.IDs) != 2 || !slices.Equal(first.IDs, onBus) {
		t.Errorf("the answer names %q, on the bus are %q", first.IDs, onBus)
	}
	if len(first.Unusable) != 1 || first.Unusable[0].Message != 2 || !strings.Contains(first.Unusable[0].Reason, "bad_json") {
		t.Errorf("of what is no event the answer says %+v", first.Unusable)
	}
	if again := post(envelope("/spool/1", one, `{"type" 7}`, two)); !slices.Equal(again.IDs, first.IDs) || len(onBus) != 0 {
		t.Errorf("the same post again names %q and puts %q on the bus", again.IDs, onBus)
	}
	if bulk := post(strings.Repeat(one+"\n", 101)); bulk.Accepted != 101 || bulk.IDs != nil {
		t.Errorf("a bulk of 101 is answered with %+v", bulk)
	}
}

// TestACloudEventNamesTheType: what the event itself leaves out.
func TestACloudEventNamesTheType(t *testing.T) {
	const untyped, typ = `{"sensor_id":42}`, "feed.24.ingress.hit.process"
	for name, c := range map[string]struct {
		in   request
		want string
	}{
		"in headers":    {request{body: untyped, header: map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": typ}}, typ},
		"in its object": {request{body: `{"specversion":"1.0","id":"1","source":"s","type":"` + typ + `","data":` + untyped + `}`, header: map[string]string{"Content-Type": "application/cloudevents+json"}}, typ},
		"of its own":    {request{body: untyped, header: map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "s", "Ce-Type": "com.example.thing"}}, ""},
	} {
		in := start(t, nil)
		if status, _, _ := in.post(t, c.in); status != 200 || len(in.got) != 1 || in.got[0].RoutingKey != c.want {
			t.Errorf("%s: answer %d, delivered %+v; want one with routing key %q", name, status, in.got, c.want)
		}
	}
}

func TestABusMessageKeepsWhatIsSaidOfIt(t *testing.T) {
	in := start(t, nil)
	status, _, _ := in.post(t, request{body: "PK\x03\x04…", header: map[string]string{
		"Content-Type": "application/zip", "Cb-Exchange": "api.rawsensordata", "sensorId": "42", "sensorHostName": "WS-042"}})
	if status != 200 || len(in.got) != 1 {
		t.Fatalf("answer %d, %d messages; want 200 and one", status, len(in.got))
	}
	m := in.got[0]
	if m.Exchange != "api.rawsensordata" || m.ContentType != "application/zip" || m.Headers["sensorId"] != "42" || m.Headers["sensorHostName"] != "WS-042" ||
		m.Transport != "http" || m.Server != "edr01" || m.Received.IsZero() {
		t.Errorf("message = %+v", m)
	}
}

func TestOtherMethodsAndQuestions(t *testing.T) {
	in := start(t, nil)
	for _, c := range []struct {
		path   string
		status int
		answer string
	}{
		{"/v1/ingest", 405, `{"error":"events are posted, not asked for"}`},
		{"/services/collector/health", 200, `{"text":"HEC is healthy","code":17}`},
		{"/services/collector/ack", 400, `{"text":"ACK is disabled","code":14}`},
	} {
		resp, err := in.client.Get(in.url + c.path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || strings.TrimSpace(string(raw)) != c.answer {
			t.Errorf("GET %s: %d %s (%v), want %d %s", c.path, resp.StatusCode, raw, err, c.status, c.answer)
		}
	}
}

func TestTheSamePostComesAgain(t *testing.T) {
	in := start(t, nil)
	var ids []string
	in.settle = func(m events.Message) error { ids = append(ids, m.ID); return nil }
	body := envelope("/spool/1", `{"a":1}`, `{"a":1}`)
	for i, want := range []int{2, 0, 0} {
		status, answer, _ := in.post(t, request{body: body})
		if got := in.bodies(); status != 200 || !strings.HasPrefix(answer, `{"accepted":2,`) || len(got) != want {
			t.Errorf("post %d: %d %s, delivered %d; want 200 and %d", i, status, answer, len(got), want)
		}
	}
	if len(ids) != 2 || ids[0] == ids[1] {
		t.Errorf("ids %q, want two different ones", ids)
	}
	if in.post(t, request{body: envelope("/spool/2", `{"a":1}`, `{"a":1}`)}); len(in.bodies()) != 2 {
		t.Error("the same events from another spool file were taken for the same post")
	}
}

func TestAPostThatFailedIsTakenAgainWithTheSameIDs(t *testing.T) {
	in := start(t, nil)
	fail := true
	seen := map[string]int{}
	in.settle = func(m events.Message) error {
		seen[m.ID]++
		if fail && bytes.Contains(m.Body, []byte("2")) {
			return errors.New("disk full")
		}
		return nil
	}
	body := envelope("/spool/1", `{"a":1}`, `{"a":2}`, `{"a":3}`)
	status, answer, header := in.post(t, request{body: body})
	if status != 503 || header.Get("Retry-After") != "2" || strings.Contains(answer, "disk") {
		t.Errorf("answer %d %s, Retry-After %q; want 503 without the inside story, 2", status, answer, header.Get("Retry-After"))
	}
	fail = false
	if status, _, _ := in.post(t, request{body: body}); status != 200 {
		t.Errorf("second time: %d, want 200", status)
	}
	for id, n := range seen {
		if n != 2 {
			t.Errorf("id %s came %d times, want 2", id, n)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d ids, want 3", len(seen))
	}
}

func TestTwoPostsOfTheSameAtOnceAreOne(t *testing.T) {
	in := start(t, nil)
	entered, goOn := make(chan struct{}), make(chan struct{})
	in.settle = func(events.Message) error { close(entered); <-goOn; return nil }
	body := envelope("/spool/1", `{"a":1}`)
	var posts sync.WaitGroup
	post := func() {
		if status, _, _ := in.post(t, request{body: body}); status != 200 {
			t.Errorf("answer %d, want 200", status)
		}
	}
	posts.Go(post)
	<-entered
	posts.Go(post)
	close(goOn)
	posts.Wait()
	if got := in.bodies(); len(got) != 1 {
		t.Errorf("delivered %d times, want once", len(got))
	}
}

func TestLimits(t *testing.T) {
	in := start(t, func(c *http.Config) { c.MaxBody = 1000; c.MaxMemory = 1500 })
	long := `{"a":"` + strings.Repeat("x", 1000) + `"}`
	for _, c := range []struct {
		name string
		in   request
	}{
		{"long", request{body: long}},
		{"long once unpacked", request{body: zip(t, long), header: map[string]string{"Content-Encoding": "gzip"}}},
		{"bomb", request{body: zip(t, strings.Repeat(" ", 10<<20)), header: map[string]string{"Content-Encoding": "gzip"}}},
	} {
		if status, answer, _ := in.post(t, c.in); status != 413 {
			t.Errorf("%s: %d %s, want 413", c.name, status, answer)
		}
	}
	t.Run("all posts together", func(t *testing.T) {
		entered, goOn := make(chan struct{}), make(chan struct{})
		in.settle = func(m events.Message) error { close(entered); <-goOn; return nil }
		fill := strings.Repeat("x", 900)
		var first sync.WaitGroup
		first.Go(func() {
			if status, _, _ := in.post(t, request{body: `{"a":"` + fill + `"}`}); status != 200 {
				t.Errorf("first: %d, want 200", status)
			}
		})
		<-entered
		if status, _, header := in.post(t, request{body: `{"b":"` + fill + `"}`}); status != 503 || header.Get("Retry-After") == "" {
			t.Errorf("one too many: %d, Retry-After %q; want 503 and a time", status, header.Get("Retry-After"))
		}
		close(goOn)
		first.Wait()
		in.settle = nil
		if status, _, _ := in.post(t, request{body: `{"b":"` + fill + `"}`}); status != 200 {
			t.Errorf("afterwards: %d, want 200: memory was not given free", status)
		}
	})
}

func TestASlowReaderMakesTheClientComeAgain(t *testing.T) {
	in := start(t, func(c *http.Config) { c.Patience = 20 * time.Millisecond })
	var late func(error)
	in.settle = nil
	src, err := http.New(http.Config{Open: true, Patience: 20 * time.Millisecond, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reading := make(chan error)
	go func() {
		reading <- src.Read(ctx, func(_ context.Context, m events.Message) error { late = m.Settle; return nil })
	}()
	post := func() int {
		w := httptest.NewRecorder()
		src.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`{"a":1}`)))
		return w.Code
	}
	for late == nil {
		if got := post(); got != 503 {
			t.Fatalf("answer %d, want 503", got)
		}
	}
	late(nil)
	if got := post(); got != 200 {
		t.Errorf("answer %d once the event was safe, want 200", got)
	}
	cancel()
	if err := <-reading; err != nil {
		t.Error(err)
	}
}

func TestAHandlersErrorEndsTheRead(t *testing.T) {
	src, err := http.New(http.Config{Open: true, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("store is gone")
	reading := make(chan error)
	go func() {
		reading <- src.Read(t.Context(), func(context.Context, events.Message) error { return broken })
	}()
	for {
		w := httptest.NewRecorder()
		src.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(`[{"a":1},{"a":2}]`)))
		if w.Code != 503 {
			t.Fatalf("answer %d, want 503", w.Code)
		}
		select {
		case err := <-reading:
			if !errors.Is(err, broken) {
				t.Errorf("read: %v, want the handler's error", err)
			}
			return
		default:
		}
	}
}

func TestNewRefusesToBeOpenByAccident(t *testing.T) {
	for _, c := range []http.Config{{}, {Tokens: []string{""}}, {Tokens: []string{"a", ""}}} {
		if _, err := http.New(c); err == nil {
			t.Errorf("tokens %q were taken", c.Tokens)
		}
	}
}

// TestForwarderPosts posts what a forwarder sends: by each of its HTTP outputs the
// same events arrive, those that its file output has.
func TestForwarderPosts(t *testing.T) {
	fixtures.Each(t, func(t *testing.T, dir string, made bool) {
		read := func(file string) []byte {
			body, err := os.ReadFile(filepath.Join(dir, "events", "wire", file))
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		want := eventIDs(t, events.Message{Body: read("file.ndjson")})
		if len(want) < 78 {
			t.Fatalf("the file has %d events, want at least 78", len(want))
		}
		in := start(t, func(c *http.Config) { c.Server = "" })
		paths := map[string]string{
			"http-default.body.json": "/ingest", "http-array-template.body.json": "/ingest", "splunk-hec.body": "/services/collector/event",
		}
		if made {
			paths["http-base64.body.json"] = "/ingest"
		}
		for file, path := range paths {
			if status, answer, _ := in.post(t, request{path: path, body: string(read(file))}); status != 200 {
				t.Errorf("%s: %d %s, want 200", file, status, answer)
			}
			if diff := cmp.Diff(want, eventIDs(t, in.got...)); diff != "" {
				t.Errorf("%s (-file +posted):\n%.600s", file, diff)
			}
			in.bodies()
		}
	})
}

// eventIDs decodes messages and lists their events' ids, sorted.
func eventIDs(t *testing.T, messages ...events.Message) (ids []string) {
	t.Helper()
	var d events.Decoder
	for i := range messages {
		for e, err := range d.Events(&messages[i]) {
			if err != nil {
				t.Errorf("not an event: %v", err)
				continue
			}
			ids = append(ids, e.Event.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// awaitReader returns once a Read in the background has begun.
func awaitReader(src *http.Source) {
	for {
		w := httptest.NewRecorder()
		if src.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader("[]"))); w.Code == nethttp.StatusOK {
			return
		}
	}
}

func FuzzPost(f *testing.F) {
	f.Add("/", "application/json", envelope("f", `{"a":1}`, `{"a"`))
	f.Add("/services/collector", "", `{"event":{"a":1}}{"event":"x"}{"event":null}`)
	f.Add("/", "application/cloudevents-batch+json", `[{"specversion":"1.0","id":"1","source":"s","type":"t","data":{}}]`)
	f.Add("/", "application/zip", "PK\x03\x04")
	src, err := http.New(http.Config{Open: true, MaxBody: 1 << 16, Patience: 2 * time.Second, Log: zerolog.Nop()})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var delivered int
	reading := make(chan error)
	go func() {
		reading <- src.Read(ctx, func(_ context.Context, m events.Message) error { delivered++; m.Settle(nil); return nil })
	}()
	f.Cleanup(func() { cancel(); <-reading })
	awaitReader(src)
	f.Fuzz(func(t *testing.T, path, contentType, body string) {
		req := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(body))
		req.URL.Path = path
		req.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		src.ServeHTTP(w, req)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("answer is not JSON: %q", w.Body)
		}
		switch w.Code {
		case 200, 400, 413:
		default:
			t.Fatalf("answer %d", w.Code)
		}
	})
}

func ExampleSource() {
	src, err := http.New(http.Config{Tokens: []string{"t0ken"}, Log: zerolog.Nop()})
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(src)
	defer srv.Close()
	req, err := nethttp.NewRequest("POST", srv.URL+"/v1/ingest", strings.NewReader(`[{"type":"feed.ingress.hit.process"}]`))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer t0ken")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		done <- src.Read(ctx, func(_ context.Context, m events.Message) error {
			fmt.Printf("%s\n", m.Body)
			m.Settle(nil)
			return nil
		})
	}()
	for {
		resp, err := srv.Client().Do(req.Clone(ctx))
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		if resp.StatusCode == nethttp.StatusOK {
			break
		}
		req.Body = io.NopCloser(strings.NewReader(`[{"type":"feed.ingress.hit.process"}]`))
	}
	cancel()
	if err := <-done; err != nil {
		panic(err)
	}
	// Output: {"type":"feed.ingress.hit.process"}
}

// TestAPostEndsWithTheRead: a post of many events does not hold up a shutdown.
func TestAPostEndsWithTheRead(t *testing.T) {
	src, err := http.New(http.Config{Tokens: []string{token}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(src)
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var handled int
	var reading sync.WaitGroup
	reading.Go(func() {
		err := src.Read(ctx, func(_ context.Context, m events.Message) error {
			handled++
			cancel()
			m.Settle(nil)
			return nil
		})
		if err != nil {
			t.Errorf("read: %v", err)
		}
	})
	for status := nethttp.StatusServiceUnavailable; status == nethttp.StatusServiceUnavailable && ctx.Err() == nil; { // until Read has begun
		req, err := nethttp.NewRequestWithContext(t.Context(), nethttp.MethodPost, srv.URL, strings.NewReader(strings.Repeat(`{"type":"x"}`+"\n", 1000)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		status = res.StatusCode
	}
	reading.Wait()
	if handled != 1 {
		t.Errorf("%d events were handled after the end, want the first alone", handled)
	}
}

package s3_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/s3"
)

// bucket is a fake object store with one bucket.
type bucket struct {
	t      *testing.T
	client *minio.Client
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	srv := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(srv.Close)
	client, err := minio.New(strings.TrimPrefix(srv.URL, "http://"), &minio.Options{Creds: credentials.NewStaticV4("id", "secret", ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), "forwarder", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return &bucket{t, client}
}

func zipped(lines ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(strings.Join(lines, "\n") + "\n"))
	z.Close()
	return b.Bytes()
}

func (b *bucket) put(key string, content []byte) {
	b.t.Helper()
	if _, err := b.client.PutObject(b.t.Context(), "forwarder", key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bucket) source(place string) *s3.Source {
	return &s3.Source{Client: b.client, Bucket: "forwarder", Prefix: "alerts", Place: place, Poll: 5 * time.Millisecond, Retry: time.Millisecond, Pending: 4}
}

// sink collects lines. settle decides on each; nil settles at once.
type sink struct {
	mu     sync.Mutex
	lines  []string
	settle func(line string, m events.Message)
}

func (s *sink) handle(_ context.Context, m events.Message) error {
	s.mu.Lock()
	s.lines = append(s.lines, string(m.Body))
	s.mu.Unlock()
	if s.settle != nil {
		s.settle(string(m.Body), m)
		return nil
	}
	m.Settle(nil)
	return nil
}

func (s *sink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// until reads until done, then stops the reading and returns its error.
func until(t *testing.T, src *s3.Source, s *sink, done func([]string) bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- src.Read(ctx, s.handle) }()
	for !done(s.got()) {
		select {
		case err := <-end:
			if err == nil {
				t.Fatalf("the reading ended with %q", s.got())
			}
			return err
		case <-time.After(time.Millisecond):
		}
		if ctx.Err() != nil {
			t.Fatalf("got %q", s.got())
		}
	}
	cancel()
	return <-end
}

func has(lines ...string) func([]string) bool {
	return func(got []string) bool {
		return !slices.ContainsFunc(lines, func(l string) bool { return !slices.Contains(got, l) })
	}
}

// The keys sort as text in another order than by time, and old names come late.
func TestObjectsAreReadOnceWhateverTheirNames(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	key := func(rest string) string { return "alerts/org_key=A1B2C3D4/" + rest + "/x.jsonl.gz" }
	b.put(key("year=2025/month=10/day=1/hour=10/minute=5/second=7"), zipped(`{"n":1}`, ``, `{"n":2}`))
	b.put("other/x.jsonl.gz", zipped(`{"n":"other"}`))
	place := filepath.Join(t.TempDir(), "place")
	s := &sink{}
	if err := until(t, b.source(place), s, has(`{"n":1}`, `{"n":2}`)); err != nil {
		t.Fatal(err)
	}
	b.put(key("year=2025/month=9/day=30/hour=23/minute=59/second=58"), zipped(`{"n":3}`)) // late
	b.put(key("year=2025/month=10/day=1/hour=9/minute=5/second=7"), []byte(`{"n":4}`))    // neither packed nor ended by a line break
	if err := until(t, b.source(place), s, has(`{"n":3}`, `{"n":4}`)); err != nil {
		t.Fatal(err)
	}
	if got := s.got(); len(got) != 4 {
		t.Errorf("lines %q, want each once", got)
	}
}

func TestAnObjectIsResumedAfterItsSettledLines(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	var lines []string
	for i := range 10 {
		lines = append(lines, fmt.Sprintf(`{"n":%d}`, i))
	}
	b.put("alerts/x.jsonl.gz", zipped(lines...))
	place := filepath.Join(t.TempDir(), "place")
	var mu sync.Mutex
	settled := 0
	first := &sink{settle: func(_ string, m events.Message) {
		mu.Lock()
		defer mu.Unlock()
		if settled++; settled <= 5 {
			m.Settle(nil) // and the others never: the process dies
		}
	}}
	if err := until(t, b.source(place), first, has(`{"n":8}`)); err != nil {
		t.Fatal(err)
	}
	second := &sink{}
	if err := until(t, b.source(place), second, has(lines[5:]...)); err != nil {
		t.Fatal(err)
	}
	if got := second.got(); !slices.Equal(got, lines[5:]) {
		t.Errorf("after a restart %q, want %q", got, lines[5:])
	}
}

func TestALineThatFailsComesAgain(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	b.put("alerts/x.jsonl.gz", zipped(`{"n":1}`, `{"n":2}`))
	var mu sync.Mutex
	failed := false
	s := &sink{}
	s.settle = func(line string, m events.Message) {
		mu.Lock()
		defer mu.Unlock()
		if line == `{"n":1}` && !failed {
			failed = true
			m.Settle(errors.New("no room"))
			return
		}
		m.Settle(nil)
	}
	err := until(t, b.source(filepath.Join(t.TempDir(), "place")), s, func(got []string) bool { return len(got) == 3 })
	if err != nil || !failed {
		t.Fatal(err)
	}
}

func TestADamagedObjectCostsOnlyItself(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	whole := zipped(`{"n":1}`, strings.Repeat("x", 100_000))
	b.put("alerts/a.jsonl.gz", whole[:len(whole)-20])
	b.put("alerts/b.jsonl.gz", zipped(`{"n":2}`))
	place := filepath.Join(t.TempDir(), "place")
	s := &sink{}
	if err := until(t, b.source(place), s, has(`{"n":1}`, `{"n":2}`)); err != nil {
		t.Fatal(err)
	}
}

func TestTheHandlersErrorEndsTheReading(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	b.put("alerts/x.jsonl.gz", zipped(`{"n":1}`))
	stop := errors.New("stop")
	err := b.source(filepath.Join(t.TempDir(), "place")).Read(t.Context(), func(context.Context, events.Message) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("Read = %v", err)
	}
}

func TestADamagedPlaceIsTold(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	dir := t.TempDir() // a directory is no place
	if err := b.source(dir).Read(t.Context(), (&sink{}).handle); err == nil {
		t.Error("a place that cannot be read was accepted")
	}
}

package sqs_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/events"
	"edrpipe/pkg/events/s3"
	"edrpipe/pkg/events/s3/sqs"
)

// message is one in a queue. A hidden one was received and not deleted.
type message struct {
	body    string
	hidden  bool
	seen    int
	deleted bool
}

// fakeSQS speaks the service's JSON protocol.
type fakeSQS struct {
	*httptest.Server
	mu       sync.Mutex
	messages []*message
	failing  bool // every request is refused
	signed   bool // every request was signed, for the region
}

func newSQS(t *testing.T) *fakeSQS {
	f := &fakeSQS{signed: true}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeSQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.signed = f.signed && strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/sqs/aws4_request")
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if f.failing {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no such queue"}`))
		return
	}
	var req struct{ ReceiptHandle string }
	_ = json.NewDecoder(r.Body).Decode(&req) // the other fields are not looked at
	switch _, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); action {
	case "ReceiveMessage":
		var got []map[string]string
		for i, m := range f.messages {
			if !m.hidden && !m.deleted && len(got) < 10 {
				m.hidden = true
				m.seen++
				sum := md5.Sum([]byte(m.body))
				got = append(got, map[string]string{"MessageId": fmt.Sprint(i), "ReceiptHandle": fmt.Sprint(i), "Body": m.body, "MD5OfBody": hex.EncodeToString(sum[:])})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Messages": got})
	case "DeleteMessage":
		var i int
		_, _ = fmt.Sscan(req.ReceiptHandle, &i)
		f.messages[i].deleted = true
		_, _ = w.Write([]byte("{}"))
	default:
		_, _ = w.Write([]byte("{}"))
	}
}

func (f *fakeSQS) send(body string) *message {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &message{body: body}
	f.messages = append(f.messages, m)
	return m
}

// show makes messages visible again that were received and not deleted.
func (f *fakeSQS) show() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.messages {
		m.hidden = false
	}
}

func (f *fakeSQS) is(m *message) (seen int, deleted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return m.seen, m.deleted
}

// setting is a bucket with a queue and the source of both, which does not poll.
type setting struct {
	t      *testing.T
	queue  *fakeSQS
	client *minio.Client
	source *s3.Source
	mu     sync.Mutex
	lines  []string
	settle func(m events.Message)
}

func newSetting(t *testing.T) *setting {
	t.Helper()
	store := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	t.Cleanup(store.Close)
	keys := credentials.NewStaticV4("id", "secret", "")
	client, err := minio.New(strings.TrimPrefix(store.URL, "http://"), &minio.Options{Creds: keys, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), "forwarder", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	q := newSQS(t)
	queue, err := sqs.Open(q.URL+"/123456789012/cbc-alerts", "eu-central-1", keys)
	if err != nil {
		t.Fatal(err)
	}
	return &setting{t: t, queue: q, client: client, settle: func(m events.Message) { m.Settle(nil) }, source: &s3.Source{
		Client: client, Bucket: "forwarder", Prefix: "alerts/", Queue: queue, Place: filepath.Join(t.TempDir(), "place"), Poll: time.Hour, Retry: time.Millisecond,
		Lookback: time.Nanosecond, // what is in the bucket at the start is found by its notice only
	}}
}

func (s *setting) put(key, text string) {
	s.t.Helper()
	if _, err := s.client.PutObject(s.t.Context(), "forwarder", key, bytes.NewReader([]byte(text)), int64(len(text)), minio.PutObjectOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *setting) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// run reads until a condition holds.
func (s *setting) run(until func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- s.source.Read(ctx, func(_ context.Context, m events.Message) error {
			s.mu.Lock()
			s.lines = append(s.lines, string(m.Body))
			s.mu.Unlock()
			s.settle(m)
			return nil
		})
	}()
	for !until() {
		if ctx.Err() != nil {
			s.t.Fatalf("got %q", s.got())
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		s.t.Errorf("Read = %v", err)
	}
}

func (s *setting) deleted(all ...*message) func() bool {
	return func() bool {
		for _, m := range all {
			if _, gone := s.queue.is(m); !gone {
				return false
			}
		}
		return true
	}
}

const key = "alerts/org_key=A1B2C3D4/year=2025/month=10/day=1/hour=10/minute=5/second=7/a b.jsonl"

func TestAnnouncedObjectsAreReadOnce(t *testing.T) {
	t.Parallel()
	s := newSetting(t)
	s.put(key, "{\"n\":1}\n{\"n\":2}\n")
	body := string(edrsim.S3Notice("forwarder", key, 1))
	sns, _ := json.Marshal(map[string]string{"Type": "Notification", "Message": body})
	all := []*message{s.queue.send(body), s.queue.send(body), s.queue.send(string(sns))}
	s.run(s.deleted(all...))
	if got := s.got(); !slices.Equal(got, []string{`{"n":1}`, `{"n":2}`}) {
		t.Errorf("lines %q, want each once", got)
	}
	if !s.queue.signed {
		t.Error("requests to the queue are not signed for its region")
	}
}

// TestWhatIsNoNotice: tests and removals are deleted, what is not ours stays.
func TestWhatIsNoNotice(t *testing.T) {
	t.Parallel()
	s := newSetting(t)
	delete := []*message{
		s.queue.send(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"forwarder"}`),
		s.queue.send(strings.ReplaceAll(string(edrsim.S3Notice("forwarder", "alerts/x", 1)), "ObjectCreated:Put", "ObjectRemoved:Delete")),
	}
	keep := []*message{
		s.queue.send(`not JSON`), s.queue.send(``), s.queue.send(`null`), s.queue.send(`[]`), s.queue.send(`{"Records":null}`),
		s.queue.send(`{"order":42,"Records":[{"s3":{"bucket":{"name":"forwarder"},"object":{"key":"%zz"}}}]}`),
		s.queue.send(string(edrsim.S3Notice("another", key, 1))),
		s.queue.send(string(edrsim.S3Notice("forwarder", "endpoint-events/x.jsonl", 1))),
		s.queue.send(`{"Type":"Notification","Message":"hello"}`),
	}
	last := s.queue.send(string(edrsim.S3Notice("forwarder", "alerts/gone", 1)))
	s.run(s.deleted(append(delete, last)...))
	for _, m := range keep {
		if seen, gone := s.queue.is(m); seen == 0 || gone {
			t.Errorf("message %q: received %d times, deleted %v; it is not ours to delete", m.body, seen, gone)
		}
	}
	if got := s.got(); len(got) != 0 {
		t.Errorf("lines %q", got)
	}
}

// TestANoticeOutlivesACrash: while a line is not safe its notice stays, and what was
// settled of the object is not delivered again.
func TestANoticeOutlivesACrash(t *testing.T) {
	t.Parallel()
	s := newSetting(t)
	s.put(key, "{\"n\":1}\n{\"n\":2}\n")
	m := s.queue.send(string(edrsim.S3Notice("forwarder", key, 1)))
	s.settle = func(m events.Message) {
		if string(m.Body) == `{"n":1}` {
			m.Settle(nil)
		}
	}
	s.run(func() bool { return len(s.got()) == 2 })
	if _, gone := s.queue.is(m); gone {
		t.Fatal("the notice of an object with an unsettled line was deleted")
	}
	s.settle = func(m events.Message) { m.Settle(nil) }
	s.queue.show()
	s.run(s.deleted(m))
	if got := s.got(); !slices.Equal(got, []string{`{"n":1}`, `{"n":2}`, `{"n":2}`}) {
		t.Errorf("lines %q, want the unsettled one again", got)
	}
}

// TestAQueueThatFails: the bucket is still listed.
func TestAQueueThatFails(t *testing.T) {
	t.Parallel()
	s := newSetting(t)
	s.queue.failing, s.source.Lookback = true, time.Hour
	s.put(key, "{\"n\":1}\n")
	s.run(func() bool { return len(s.got()) == 1 })
	if _, err := os.Stat(s.source.Place); err != nil {
		t.Error(err)
	}
}

func TestAddressesOfQueues(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "cbc-alerts", "https://sqs.eu-central-1.amazonaws.com/", "https:///1/n", "http://[::1"} {
		if _, err := sqs.Open(address, "eu-central-1", nil); err == nil {
			t.Errorf("%q was accepted", address)
		}
	}
}

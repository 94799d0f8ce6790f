package bus_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
)

// unbounded are streams without a limit of their own, and what bounds them.
var unbounded = map[string]string{
	"AUDIT":         "nothing is dropped from it",
	"KV_jobs":       "jobs that are not finished, each of which expires",
	"KV_control":    "records that expire, and a bound on their number",
	"OBJ_artifacts": "the quotas of artifacts",
}

// TestEveryStreamHasABound of bytes, or a reason why it has none; and a row in the
// table of what takes disk.
func TestEveryStreamHasABound(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range b.Streams() {
		s, err := b.JetStream().Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		if _, free := unbounded[name]; free == (c.MaxBytes > 0) {
			t.Errorf("stream %s has a bound of %d bytes", name, c.MaxBytes)
		}
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("stream %s is not in the table of docs/operating.md", name)
		}
	}
}

// TestFinishedJobsAreBoundedInBytes: the oldest records give way, and new ones are taken.
func TestFinishedJobsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	b := bustest.Connect(t, bus.Config{InProcess: bustest.Serve(t, natsd.Config{Sync: time.Minute}), Limits: bus.Limits{JobsBytes: 64 << 10}})
	for range 2 { // as it is made, and as a later start finds it
		if err := b.Setup(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	finished, err := b.JetStream().KeyValue(t.Context(), bus.BucketFinished)
	if err != nil {
		t.Fatal(err)
	}
	const records = 100
	for i := range records {
		if _, err := finished.Put(t.Context(), fmt.Sprint("job", i), make([]byte, 4<<10)); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if _, err := finished.Get(t.Context(), fmt.Sprint("job", records-1)); err != nil {
		t.Errorf("the newest: %v", err)
	}
	if _, err := finished.Get(t.Context(), "job0"); err == nil {
		t.Error("the oldest is still there")
	}
	s, err := b.JetStream().Stream(t.Context(), "KV_"+bus.BucketFinished)
	if err != nil {
		t.Fatal(err)
	}
	if c := s.CachedInfo(); c.State.Bytes > 64<<10 || c.Config.Discard != jetstream.DiscardOld {
		t.Errorf("%d bytes, discard %s", c.State.Bytes, c.Config.Discard)
	}
}

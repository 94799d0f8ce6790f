package natsstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
)

// TestFinishedIsBoundedInBytes: a list of large records takes few bytes at a time from the
// bus, and what it returns is short; a record itself stays whole.
func TestFinishedIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	nc, err := nats.Connect("", bustest.Serve(t, natsd.Config{Sync: time.Minute}).InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	k := newKV(t, js)
	const records, text = 20, 600_000
	for i := range records {
		j := record(fmt.Sprint("large", i))
		j.State, j.Ended = job.Succeeded, time.Now()
		j.Event = &events.Event{}
		j.Event.Event.ID, j.Event.Process.CommandLine = fmt.Sprint("event", i), strings.Repeat("<", text/2)
		j.Done = []job.StepRecord{{ID: "a", State: job.StepOK, Output: json.RawMessage(`"` + strings.Repeat("x", text/2) + `"`)}}
		if err := k.Archive(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Archive(t.Context(), &job.Job{ID: "small", State: job.Succeeded, Done: []job.StepRecord{{ID: "a", Output: json.RawMessage(`1`)}}}); err != nil {
		t.Fatal(err)
	}
	pulls, err := nc.SubscribeSync("$JS.API.DIRECT.GET.KV_jobs-finished")
	if err != nil {
		t.Fatal(err)
	}
	done, err := job.AllFinished(t.Context(), k, time.Now().Add(-time.Hour))
	if err != nil || len(done) != records+1 {
		t.Fatalf("%d finished, %v; want %d", len(done), err, records+1)
	}
	for i, j := range done[:records] {
		data, err := json.Marshal(j)
		if err != nil || len(data) > wholeRecord || j.Event.Event.ID != fmt.Sprint("event", i) || len(j.Done) != 1 || j.Done[0].State != job.StepOK {
			t.Errorf("job %s: %d bytes, event %q, steps %d, %v", j.ID, len(data), j.Event.Event.ID, len(j.Done), err)
		}
	}
	if string(done[records].Done[0].Output) != "1" {
		t.Errorf("a small record lacks something: %+v", done[records])
	}
	whole, err := k.Get(t.Context(), "large0")
	if err != nil || len(whole.Event.Process.CommandLine) != text/2 || len(whole.Done[0].Output) < text/2 {
		t.Errorf("the record itself is not whole: %v", err)
	}
	for n := 0; ; n++ {
		m, err := pulls.NextMsg(time.Second)
		if err != nil {
			if n == 0 {
				t.Error("no pull was seen")
			}
			return
		}
		var pull struct {
			Bytes   int `json:"max_bytes"`
			Records int `json:"batch"`
		}
		if err := json.Unmarshal(m.Data, &pull); err != nil || pull.Bytes <= 0 || pull.Bytes > finishedBytes || pull.Records > batchRecords {
			t.Errorf("a pull of any size: %s, %v", m.Data, err)
		}
	}
}

// TestAPageOfManyFinishedJobs: a page of the latest of 20,000 ended jobs takes some
// hundreds of records from the bus. All of them are seen once each, whatever has expired,
// and no reader is left behind.
func TestAPageOfManyFinishedJobs(t *testing.T) {
	t.Parallel()
	js := newJetStream(t, t.TempDir())
	k := newKV(t, js)
	const jobs = 20_000
	for i := range jobs {
		j := &job.Job{ID: fmt.Sprintf("job%05d", i), State: job.Succeeded}
		data, err := k.encode("jobs-finished", j)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.PublishAsync("$KV.jobs-finished."+j.ID, data); err != nil {
			t.Fatal(err)
		}
	}
	<-js.PublishAsyncComplete()
	stream, err := js.Stream(t.Context(), "KV_jobs-finished")
	if err != nil {
		t.Fatal(err)
	}
	gone := map[uint64]bool{1: true, 2: true, 700: true, jobs - firstPart: true, jobs - firstPart + 1: true, jobs: true}
	for sequence := range gone {
		if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject(fmt.Sprintf("$KV.jobs-finished.job%05d", sequence-1))); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now().Add(-time.Hour)
	for name, c := range map[string]struct{ page, min, max int }{
		"a page":     {50, 50, firstPart},
		"some parts": {1000, 1000, firstPart * (1 + partGrowth)},
		"all":        {jobs, jobs - len(gone), jobs - len(gone)},
	} {
		seen, latest := map[uint64]bool{}, uint64(0)
		err := k.Finished(t.Context(), begin, func(j *job.Job) {
			if seen[j.Revision] || gone[j.Revision] || j.ID != fmt.Sprintf("job%05d", j.Revision-1) {
				t.Errorf("%s: job %s at revision %d", name, j.ID, j.Revision)
			}
			seen[j.Revision], latest = true, max(latest, j.Revision)
		}, func(archived time.Time) bool { return archived.After(begin) && len(seen) >= c.page })
		if err != nil || len(seen) < c.min || len(seen) > c.max || latest != jobs-1 {
			t.Errorf("%s: %d seen up to %d, %v; want %d to %d", name, len(seen), latest, err, c.min, c.max)
		}
	}
	if seen := 0; k.Finished(t.Context(), time.Now().Add(time.Hour), func(*job.Job) { seen++ }, nil) != nil || seen > 0 {
		t.Errorf("%d jobs of the future", seen)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Consumers != 0 {
		t.Errorf("%d readers are left, %v", info.State.Consumers, err)
	}
}

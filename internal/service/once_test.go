package service

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/jobs/natsstore"
)

// TestAnEventKeepsItsCharacters in the record of its job and in its result: neither is
// larger than the event for them. A text is in the record as its field and as it was
// sent, and nowhere else.
func TestAnEventKeepsItsCharacters(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	const text = "evil.exe /c a&b<c>d unmistakable"
	r.publish(strings.Replace(start(1, 7), `"pid"`, `"command_line":"`+text+`","pid"`, 1))
	await(t, 20*time.Second, "its job", func() bool { return len(r.jobs("ended")) == 1 })
	finished, err := r.bus.Bucket(t.Context(), bus.BucketFinished)
	if err != nil {
		t.Fatal(err)
	}
	var record natsjs.KeyValueEntry
	await(t, 20*time.Second, "its archived record", func() bool {
		record, err = finished.Get(t.Context(), r.jobs("ended")[0].ID)
		return err == nil
	})
	if n := bytes.Count(record.Value(), []byte("unmistakable")); n > 2 || !bytes.Contains(record.Value(), []byte(text)) {
		t.Errorf("the event is %d times in the record: %s", n, record.Value())
	}
	results, err := r.bus.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	result, err := results.GetLastMsgForSubject(t.Context(), "edr.results.>")
	if err != nil {
		t.Fatal(err)
	}
	for _, escaped := range []string{`\u0026`, `\u003c`, `\u003e`} {
		if bytes.Contains(result.Data, []byte(escaped)) || bytes.Contains(record.Value(), []byte(escaped)) {
			t.Errorf("%s in the result or the record: %s", escaped, result.Data)
		}
	}
}

// TestAJobThatNeverFitsHoldsUpNoOther: its message is a dead letter at once, is not tried
// again, and the other job of the same message runs.
func TestAJobThatNeverFitsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 2, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	large := fmt.Sprintf(`
  - id: large
    on: process_start
    when: process.name == "evil.exe" && process.pid == 7
    steps: [ { uses: publish, with: { subject: large, body: { text: %q } } } ]
`, strings.Repeat("x", job.MaxRecord))
	r := newPlace(t, sim, listProcesses+large, "").run()
	r.publish(start(1, 7), start(2, 8))
	await(t, 20*time.Second, "both jobs", func() bool { return len(r.jobs("ended")) == 2 })
	await(t, 20*time.Second, "the dead letter", func() bool { return len(r.dead()) > 0 })
	r.publish(start(2, 9))
	await(t, 20*time.Second, "the job of a later event", func() bool { return len(r.jobs("ended")) == 3 })
	if letters := r.dead(); len(letters) != 1 || letters[0].Reason != "job_too_large" {
		t.Errorf("dead letters: %+v", letters)
	}
}

// TestPagesOfEndedJobs: every job is on one page, in order, however long the list is and
// whatever it is sorted by; a page of long texts is shorter, and the next one goes on.
func TestPagesOfEndedJobs(t *testing.T) {
	t.Parallel()
	sim := edrsim.New(edrsim.Config{Sensors: 1, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	r := newPlace(t, sim, listProcesses, "").run()
	store, err := natsstore.Open(t.Context(), r.bus.JetStream(), bus.BucketJobs, bus.BucketFinished, r.seal)
	if err != nil {
		t.Fatal(err)
	}
	const ended, long = 700, 30
	begin := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for i := range ended {
		j := &job.Job{ID: fmt.Sprintf("job%04d", i), State: job.Succeeded, Endpoint: edr.Endpoint{Server: r.console.Fleet.Sole(), ID: "1"}, Rule: fmt.Sprint("rule", i%3)}
		j.Created, j.Ended = begin.Add(time.Duration(i)*time.Second), begin.Add(time.Hour)
		if i < long {
			j.Detail = strings.Repeat("x", 500_000)
		}
		if err := store.Archive(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		sort string
		last string
	}{"newest first": {"", "job0000"}, "oldest first": {"created", "job0699"}, "by rule": {"-rule", "job0000"}} {
		var ids []string
		for pages := 0; pages < 20; pages++ {
			page, err := r.console.Jobs(t.Context(), web.JobQuery{State: "ended", Sort: c.sort, Limit: 100, Offset: len(ids)})
			if err != nil {
				t.Fatal(err)
			}
			size := 0
			for _, l := range page.Jobs {
				ids, size = append(ids, l.ID), size+len(l.Detail)
			}
			if size > 8<<20 {
				t.Errorf("%s: a page of %d bytes", name, size)
			}
			if len(ids) >= page.Total {
				break
			}
		}
		if len(ids) != ended || ids[len(ids)-1] != c.last || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != ended {
			t.Errorf("%s: %d jobs on all pages, the last %s; want %d, %s", name, len(ids), ids[len(ids)-1], ended, c.last)
		}
	}
}

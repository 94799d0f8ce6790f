package durability

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/jobs/natsstore"
	"edrpipe/pkg/seal"
)

// found is what is on the bus once the service has stopped.
type found struct {
	matched map[string]bool // ids of events that the rule for every event has matched
	jobs    map[int]int     // by the event's number: how many finished records
	results map[string]int  // by job: how many results
	states  map[jobs.State]int
	live    int // records of jobs that have not ended
}

// find reads the bus: the one that is left, or what the service's own has stored.
func (p *place) find(t *testing.T, outside bool) *found {
	t.Helper()
	b := p.stored(t, outside)
	f := &found{matched: map[string]bool{}, jobs: map[int]int{}, results: map[string]int{}, states: map[jobs.State]int{}}
	each(t, b, bus.StreamJobs, "edr.jobs.*.decision", func(data json.RawMessage) {
		var d struct{ Rule, Event, Reason string }
		if err := json.Unmarshal(data, &d); err != nil || d.Rule != "every" || d.Reason != "too_old" {
			t.Errorf("unexpected decision %s (%v)", data, err)
		}
		f.matched[d.Event] = true
	})
	each(t, b, bus.StreamResults, "edr.results.>", func(data json.RawMessage) {
		var r jobs.ResultNotice
		if err := json.Unmarshal(data, &r); err != nil {
			t.Errorf("result %s: %v", data, err)
		}
		f.results[r.Job]++
	})
	store, err := natsstore.Open(t.Context(), b.JetStream(), bus.BucketJobs, bus.BucketFinished, seal.Unverified())
	if err != nil {
		t.Fatal(err)
	}
	ended, err := job.AllFinished(t.Context(), store, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range ended {
		f.jobs[j.Event.Process.PID]++
		f.states[j.State]++
		if f.results[j.ID] != 1 {
			t.Errorf("job %s of event %d has %d results, want one", j.ID, j.Event.Process.PID, f.results[j.ID])
		}
	}
	f.live = live(t, store)
	return f
}

// live counts the jobs that have not ended. One that has may still be here as
// well: it is archived before it is removed.
func live(t *testing.T, store jobs.Store) (n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := store.Watch(ctx, func(c jobs.Change) {
		if c.Job != nil && !c.Job.State.Terminal() {
			n++
		}
		if c.Synced {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return n
}

// stored opens what the bus has kept.
func (p *place) stored(t *testing.T, outside bool) *bus.Bus {
	t.Helper()
	if outside {
		return p.connect(t)
	}
	ns := bustest.Serve(t, natsd.Config{Dir: filepath.Join(p.dir, "data", "bus"), Sync: time.Minute})
	return bustest.Connect(t, bus.Config{InProcess: ns})
}

// each calls see with the data of each CloudEvent that a stream holds.
func each(t *testing.T, b *bus.Bus, stream, subject string, see func(json.RawMessage)) {
	t.Helper()
	c, err := b.JetStream().OrderedConsumer(t.Context(), stream, natsjs.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := c.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for left := info.NumPending + uint64(info.Delivered.Consumer); left > 0; left-- {
		m, err := messages.Next(natsjs.NextMaxWait(10 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Data json.RawMessage }
		if err := json.Unmarshal(m.Data(), &e); err != nil {
			t.Fatal(err)
		}
		see(e.Data)
	}
}

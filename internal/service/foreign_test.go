package service

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/quarantine"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/seal"
)

// keysOf lists the keys of the records of a bucket.
func (r running) keysOf(bucket string) (keys []string) {
	r.t.Helper()
	kv, err := r.bus.JetStream().KeyValue(r.t.Context(), bucket)
	if err != nil {
		r.t.Fatal(err)
	}
	keys, err = kv.Keys(r.t.Context())
	if err != nil && !errors.Is(err, natsjs.ErrNoKeysFound) {
		r.t.Fatal(err)
	}
	return keys
}

// fouledPlace is a service that has records of every kind, in a directory of its own.
func fouledPlace(t *testing.T) *place {
	t.Helper()
	sim := edrsim.New(edrsim.Config{Sensors: 30, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	if err := sim.SetPower(2, false); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, sim, everyKind, "")
	p.write("guards.yaml", everyGuard)
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"guards: "+p.dir+"/guards.yaml\n")
	return p
}

// fill has one job end on sensor 1 and one wait on sensor 2, and every kind of record.
func (r running) fill() {
	r.t.Helper()
	r.publish(start(1, 7), start(2, 8))
	await(r.t, 20*time.Second, "a job that ended and one that waits", func() bool {
		return len(r.jobs("ended")) == 1 && len(r.jobs("live")) == 1
	})
	if err := r.guard.SetDryRun(r.t.Context(), guard.Area{}, true, "ada", "to have a record"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.guard.SetDryRun(r.t.Context(), guard.Area{}, false, "ada", "go on"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.guard.Failed(r.t.Context(), "list", "some-job"); err != nil {
		r.t.Fatal(err)
	}
}

// TestRecordsOfTheVersionBeforeAreSealedOnce: a service whose records have no seals starts
// with a key for the first time and goes on with them. Later such a record is foreign.
func TestRecordsOfTheVersionBeforeAreSealedOnce(t *testing.T) {
	t.Parallel()
	p := fouledPlace(t)
	p.write("audit.key", "the log's own, which is not made of the key that is new")
	p.write("pipeline.yaml", p.read("pipeline.yaml")+"audit_key_file: "+p.dir+"/audit.key\n")
	t.Run("before", func(t *testing.T) {
		r := p.on(t).run()
		r.fill()
		if err := r.guard.Stop(t.Context(), guard.Area{}, "ada", "a drill"); err != nil {
			t.Fatal(err)
		}
		for _, bucket := range []string{bus.BucketControl, bus.BucketJobs, bus.BucketFinished} {
			r.unseal(bucket)
		}
	})
	for _, name := range []string{"/data/state.key", "/data/state.sealed"} {
		if err := os.Remove(p.dir + name); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("first start with a key", func(t *testing.T) {
		r := p.on(t).run()
		if all, err := r.quarantine.List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("in quarantine: %v, %v; want nothing", all, err)
		}
		await(t, 5*time.Second, "ada's stop", func() bool {
			err := r.guard.Stopped(guard.Area{})
			return err != nil && strings.Contains(err.Error(), "a drill")
		})
		if got := len(r.jobs("live")); got != 1 {
			t.Errorf("%d live jobs, want one", got)
		}
		r.unseal(bus.BucketJobs)
	})
	t.Run("later start", func(t *testing.T) {
		r := p.on(t).run()
		if all, err := r.quarantine.List(t.Context()); err != nil || len(all) != 1 || all[0].Bucket != bus.BucketJobs {
			t.Errorf("in quarantine: %v, %v; want the job's record", all, err)
		}
	})
}

// unseal takes the seals from the records of a bucket, as a version before wrote them.
func (r running) unseal(bucket string) {
	r.t.Helper()
	kv, err := r.bus.JetStream().KeyValue(r.t.Context(), bucket)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, key := range r.keysOf(bucket) {
		entry, err := kv.Get(r.t.Context(), key)
		if err != nil {
			r.t.Fatal(err)
		}
		content := seal.Content(entry.Value())
		switch {
		case key == "seal.check":
			err = kv.Delete(r.t.Context(), key)
		case bytes.Equal(content, entry.Value()):
		default:
			_, err = kv.Put(r.t.Context(), key, content)
		}
		if err != nil {
			r.t.Fatal(fmt.Errorf("%s: %w", key, err))
		}
	}
}

// TestAnotherKeyIsNotTakenForANewOne: a second replica that has made a key of its own is
// refused, before it writes what the first cannot read.
func TestAnotherKeyIsNotTakenForANewOne(t *testing.T) {
	t.Parallel()
	p := fouledPlace(t)
	t.Run("first", func(t *testing.T) { p.on(t).run() })
	if err := os.Remove(p.dir + "/data/state.key"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.open(); !errors.Is(err, quarantine.ErrOtherKey) {
		t.Errorf("a start with a key just made: %v, want ErrOtherKey", err)
	}
}

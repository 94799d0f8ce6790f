package service

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/jobs"
	"edrpipe/pkg/seal"
)

// everyKind has records of every kind that replicas share.
const everyKind = `
rules:
  - id: list
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [process.guid], for: 1h }
    limits: { jobs: 100, per: 1h, on_exceed: hold }
    steps: [ { uses: list_processes } ]
  - id: burst
    on: process_start
    when: process.name == "evil.exe"
    correlate: { type: event_count, gte: 2, group_by: [sensor.id], timespan: 1h }
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
`

const everyGuard = `
budgets: [ { name: lists, actions: [list_processes], times: 1000, per: 1h } ]
breaker: { failures: 50 }
`

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

// foul puts random bytes in the place of a record.
func (r running) foul(bucket, key string) {
	r.t.Helper()
	kv, err := r.bus.JetStream().KeyValue(r.t.Context(), bucket)
	if err != nil {
		r.t.Fatal(err)
	}
	noise := make([]byte, 300)
	_, _ = rand.Read(noise)
	if _, err := kv.Put(r.t.Context(), key, noise); err != nil {
		r.t.Fatal(err)
	}
}

// checkOf is a readiness check.
func (r running) checkOf(name string) health.Check {
	for _, c := range r.health(r.t.Context()) {
		if c.Name == name {
			return c
		}
	}
	r.t.Fatalf("there is no check %s", name)
	return health.Check{}
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
	if err := r.guard.SetDryRun(r.t.Context(), true, "ada", "to have a record"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.guard.SetDryRun(r.t.Context(), false, "ada", "go on"); err != nil {
		r.t.Fatal(err)
	}
	if err := r.guard.Failed(r.t.Context(), "list", "some-job"); err != nil {
		r.t.Fatal(err)
	}
	var kinds []string
	for _, key := range r.keysOf(bus.BucketControl) {
		kinds = append(kinds, kindOf(key))
	}
	for _, kind := range []string{"guard.control", "guard.budget", "guard.quota", "guard.breaker", "rules.suppress", "rules.correlate", "slots.sim", "seal.check"} {
		if !strings.Contains(strings.Join(kinds, " "), kind) {
			r.t.Fatalf("there is no record of kind %s among %v", kind, kinds)
		}
	}
}

func kindOf(key string) string {
	parts := strings.SplitN(key, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// TestNoRecordIsActedOnThatDoesNotVerify: one record after the other is replaced by random
// bytes while the service runs. It names the record, goes on with everything else, does
// nothing that depended on the record, and goes on with that after the repair.
func TestNoRecordIsActedOnThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	p := fouledPlace(t)
	r := p.run()
	r.fill()
	victims := map[string]string{} // key by bucket and kind
	for _, bucket := range []string{bus.BucketControl, bus.BucketJobs, bus.BucketFinished} {
		for _, key := range r.keysOf(bucket) {
			if bucket == bus.BucketControl {
				victims[bucket+" "+kindOf(key)] = key
			} else if !strings.Contains(key, ".") {
				victims[bucket] = key
			}
		}
	}
	pid, sensor := 100, 3
	for _, name := range slices.Sorted(maps.Keys(victims)) {
		key := victims[name]
		bucket, kind, _ := strings.Cut(name, " ")
		if kind == "notified" || strings.HasPrefix(kind, "probe.") {
			continue // written again and again without being read
		}
		t.Run(name, func(t *testing.T) {
			r := running{r.Service, t}
			before := len(r.jobs("ended"))
			r.foul(bucket, key)
			all, err := r.quarantine.List(t.Context())
			if err != nil || len(all) != 1 || all[0].Key != key || all[0].Bucket != bucket {
				t.Fatalf("in quarantine: %v, %v; want %s of %s", all, err, key, bucket)
			}
			if c := r.checkOf("records"); c.State != health.Failed || !strings.Contains(c.Evidence, key) {
				t.Errorf("the check says %+v, want that it names %s", c, key)
			}
			if pid, sensor = pid+1, sensor+1; sensor%5 == 0 { // one without a claim, and with the name that start gives it
				sensor++
			}
			switch {
			case kind == "guard.control":
				await(t, 5*time.Second, "a stop", func() bool { return r.guard.Stopped() != nil })
				if page, err := r.console.Guards(t.Context()); err != nil || page.Stopped == nil {
					t.Errorf("the page of guards says %+v, %v; want that everything is stopped", page.Stopped, err)
				}
				r.publish(start(sensor, pid))
				r.nothingEnds(before)
			case kind == "slots.sim", kind == "guard.budget", kind == "seal.check":
				r.publish(start(sensor, pid))
				r.nothingEnds(before)
			case kind == "guard.breaker":
				if open, _, err := r.guard.Open(t.Context(), "list"); err != nil || open == nil {
					t.Errorf("the breaker is %v, %v; want that it is open", open, err)
				}
			case kind == "guard.quota":
				r.publish(start(sensor, pid))
				await(t, 10*time.Second, "a job that waits for a person", func() bool { return r.asked() == 1 })
			case bucket == bus.BucketJobs:
				if err := p.sim.SetPower(2, true); err != nil {
					t.Fatal(err)
				}
				r.publish(start(2, pid)) // another job of the same sensor
				await(t, 20*time.Second, "the other job's end", func() bool { return len(r.jobs("ended")) == before+1 })
			default:
				r.publish(start(sensor, pid))
				await(t, 20*time.Second, "a job of another event", func() bool { return len(r.jobs("ended")) > before })
			}
			if kind == "guard.quota" {
				for _, j := range r.jobs("live") {
					if j.State == jobs.Held {
						if err := r.console.Cancel(t.Context(), web.User{Name: "ada"}, j.ID, "enough"); err != nil {
							t.Error(err)
						}
					}
				}
			}
			r.repair(bucket, key)
			await(t, 10*time.Second, "a good check", func() bool { return r.checkOf("records").State == health.OK })
			if kind == "guard.control" || kind == "slots.sim" || kind == "guard.budget" || kind == "seal.check" {
				await(t, 40*time.Second, "the held job's end", func() bool { return len(r.jobs("ended")) > before })
			}
			if bucket == bus.BucketJobs {
				await(t, 20*time.Second, "the restored job's end", func() bool { return len(r.jobs("ended")) == before+2 })
			}
		})
	}
}

// repair restores the record.
func (r running) repair(bucket, key string) {
	r.t.Helper()
	if err := r.console.RestoreRecord(r.t.Context(), web.User{Name: "ada"}, web.Quarantined{Bucket: bucket, Key: key}); err != nil {
		r.t.Errorf("restore: %v", err)
		if err := r.console.DropRecord(r.t.Context(), web.User{Name: "ada"}, web.Quarantined{Bucket: bucket, Key: key}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// nothingEnds gives a job that must not run the time that it would take: the simulated
// server counts commands, so that one that has begun shows, too.
func (r running) nothingEnds(before int) {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Second)
	for time.Now().Before(deadline) {
		if got := len(r.jobs("ended")); got != before {
			r.t.Fatalf("%d jobs have ended, want %d", got, before)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (r running) asked() (n int) {
	for _, j := range r.jobs("live") {
		if j.State == jobs.Held {
			n++
		}
	}
	return n
}

// TestForeignRecordsDoNotKeepTheServiceFromStarting: one record of each bucket is random
// bytes when the service starts. It starts, names them, acts on nothing while the switch
// is among them, and a person repairs it.
func TestForeignRecordsDoNotKeepTheServiceFromStarting(t *testing.T) {
	t.Parallel()
	p := fouledPlace(t)
	var fouled [][2]string
	t.Run("before", func(t *testing.T) {
		r := p.on(t).run()
		r.fill()
		for _, bucket := range []string{bus.BucketControl, bus.BucketJobs, bus.BucketFinished} {
			for _, key := range r.keysOf(bucket) {
				if strings.HasPrefix(key, "probe.") || bucket != bus.BucketControl && strings.Contains(key, ".") {
					continue
				}
				fouled = append(fouled, [2]string{bucket, key})
			}
		}
		if err := r.guard.Stop(t.Context(), "ada", "so that nothing is written any more"); err != nil {
			t.Fatal(err)
		}
		for _, f := range fouled {
			r.foul(f[0], f[1])
		}
	})
	t.Run("after", func(t *testing.T) {
		r := p.on(t).run()
		var all []quarantine.Record
		await(t, 10*time.Second, "all of them named", func() (done bool) {
			var err error
			if all, err = r.quarantine.List(t.Context()); err != nil {
				t.Fatal(err)
			}
			return len(all) == len(fouled)
		})
		if r.guard.Stopped() == nil {
			t.Error("nothing is stopped although the switch cannot be read")
		}
		r.publish(start(3, 500))
		r.nothingEnds(0)
		for _, f := range all {
			if err := r.console.DropRecord(t.Context(), web.User{Name: "ada"}, web.Quarantined{Bucket: f.Bucket, Key: f.Key}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.sim.SetPower(2, true); err != nil {
			t.Fatal(err)
		}
		await(t, 30*time.Second, "the jobs' ends", func() bool {
			ended := map[jobs.State]int{}
			for _, j := range r.jobs("ended") {
				ended[j.State]++
			}
			return ended[jobs.Succeeded] >= 1 && ended[jobs.Unknown] >= 1
		})
	})
}

// TestRecordsOfTheVersionBeforeAreSealedOnce: a service whose records have no seals starts
// with a key for the first time and goes on with them. Later such a record is foreign.
func TestRecordsOfTheVersionBeforeAreSealedOnce(t *testing.T) {
	t.Parallel()
	p := fouledPlace(t)
	t.Run("before", func(t *testing.T) {
		r := p.on(t).run()
		r.fill()
		if err := r.guard.Stop(t.Context(), "ada", "a drill"); err != nil {
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
		await(t, 5*time.Second, "ada's stop", func() bool { err := r.guard.Stopped(); return err != nil && strings.Contains(err.Error(), "a drill") })
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

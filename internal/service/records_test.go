package service

import (
	"crypto/rand"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsjs "github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/health"
	"edrpipe/internal/quarantine"
	"edrpipe/internal/web"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/guard"
)

// everyRecord is the long form: each kind is also dropped while running, and replicas start
// with each kind of records of streams replaced, and with all records.
var everyRecord = flag.Bool("every-record", false, "the long form of the tests that replace records by random bytes")

// everyKind makes records of every kind that replicas share.
const everyKind = `
rules:
  - id: list
    on: process_start
    when: process.name == "evil.exe"
    suppress: { key: [process.guid], for: 1h }
    limits: { jobs: 1000, per: 1h, on_exceed: hold }
    steps: [ { uses: list_processes } ]
  - id: burst
    on: process_start
    when: process.name == "evil.exe"
    correlate: { type: event_count, gte: 2, group_by: [sensor.id], timespan: 1h }
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
  - id: renamed
    on: process_start
    when: process.name == "packed.exe" && ieq(image.original_name, "pack.exe")
    suppress: { for: 0s }
    steps: [ { uses: list_processes } ]
  - id: take
    on: process_start
    when: process.name == "take.exe"
    suppress: { for: 0s }
    steps:
      - { uses: get_file, with: { path: 'c:\evidence.bin' } }
      - { uses: publish, with: { subject: taken, body: done } }
`

const everyGuard = `
budgets: [ { name: lists, actions: [list_processes], times: 10000, per: 1h } ]
breaker: { failures: 50 }
`

// recordsWorld is a service that has records of every kind, in a directory of its own.
type recordsWorld struct {
	*place
	r      running
	sensor int
	told   atomic.Int64 // messages to people
}

func newRecordsWorld(t *testing.T) *recordsWorld {
	t.Helper()
	sim := edrsim.New(edrsim.Config{Sensors: 900, CheckIn: 20 * time.Millisecond}).Start()
	t.Cleanup(sim.Close)
	if err := sim.AddBinary(packedMD5, map[string]any{"original_filename": "PACK.EXE"}); err != nil {
		t.Fatal(err)
	}
	w := &recordsWorld{}
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { w.told.Add(1) }))
	t.Cleanup(hook.Close)
	p := newPlace(t, sim, everyKind, "")
	p.write("guards.yaml", everyGuard)
	p.write("hook", hook.URL)
	text := strings.Replace(p.read("pipeline.yaml"), "name: sim,", "name: sim, tenant: acme,", 1)
	p.write("pipeline.yaml", text+fmt.Sprintf("limits: { endpoint_jobs: 1000 }\nguards: %[1]s/guards.yaml\nnotify: { webhook_file: %[1]s/hook }\noutputs: [ { name: all, kind: file, path: %[1]s/out, only: [results, published, decisions] } ]\n", p.dir))
	p.tune = func(s *Service) { s.pager.Every = 200 * time.Millisecond }
	w.place = p
	return w
}

const packedMD5 = "0F0102030405060708090A0B0C0D0E0F"

// next is an endpoint of which nothing is known yet, with the name that start gives it.
func (w *recordsWorld) next() int {
	if w.sensor++; w.sensor%5 == 0 {
		w.sensor++
	}
	return w.sensor
}

// run begins a replica that ends with the part of the test.
func (w *recordsWorld) run(t *testing.T) {
	t.Helper()
	w.r = w.place.on(t).run()
	await(t, 10*time.Second, "the tenant's stop, which needs people", func() bool {
		return w.r.guard.Stop(t.Context(), guard.Area{Tenant: "nobody"}, "ada", "a need") == nil || w.r.guardIsFoul()
	})
}

// guardIsFoul reports whether nothing can be switched, as the switches do not verify.
func (r running) guardIsFoul() bool {
	_, err := r.guard.Status(r.t.Context())
	return err == nil && r.guard.Stopped(guard.Area{}) != nil
}

// records lists the records of a store with their keys and revisions.
func (r running) records(s bus.SealedStore) map[string]uint64 {
	r.t.Helper()
	all := map[string]uint64{}
	err := bus.Each(r.t.Context(), r.bus.JetStream(), s.Stream, func(m natsjs.Msg, meta *natsjs.MsgMetadata) error {
		all[strings.TrimPrefix(m.Subject(), s.Prefix)] = meta.Sequence.Stream
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func storeOf(t *testing.T, bucket string) bus.SealedStore {
	t.Helper()
	for _, s := range bus.SealedStores() {
		if s.Name == bucket {
			return s
		}
	}
	t.Fatalf("no store %s", bucket)
	return bus.SealedStore{}
}

// foul puts random bytes in the place of a record.
func (r running) foul(bucket, key string) {
	r.t.Helper()
	if bucket == bus.BucketArtifacts {
		r.noise("OBJ_"+bus.BucketArtifacts, key)
		return
	}
	noise := make([]byte, 300)
	_, _ = rand.Read(noise)
	if _, err := r.bus.JetStream().Publish(r.t.Context(), storeOf(r.t, bucket).Prefix+key, noise); err != nil {
		r.t.Fatal(err)
	}
}

// checkOf is a readiness check.
func (r running) checkOf(name string) health.Check {
	r.t.Helper()
	for _, c := range r.health(r.t.Context()) {
		if c.Name == name {
			return c
		}
	}
	r.t.Fatalf("there is no check %s", name)
	return health.Check{}
}

// named checks that the service says which record does not verify, and what is held.
func (w *recordsWorld) named(kind quarantine.Kind, key string) {
	t := w.r.t
	t.Helper()
	all, err := w.r.quarantine.List(t.Context())
	if err != nil || len(all) != 1 || all[0].Bucket != kind.Bucket || all[0].Key != key || all[0].Held != kind.Held {
		t.Fatalf("in quarantine: %+v, %v; want %s of %s", all, err, key, kind.Bucket)
	}
	if kind.Bucket == bus.BucketArtifacts {
		return
	}
	await(t, 10*time.Second, "the check names "+key, func() bool {
		c := w.r.checkOf("records")
		return c.State == health.Failed && strings.Contains(c.Evidence, key)
	})
}

// repair brings the last good record back, or drops it.
func (w *recordsWorld) repair(how, bucket, key string) {
	t := w.r.t
	t.Helper()
	act, in := w.r.console.DropRecord, web.Quarantined{Bucket: bucket, Key: key, Why: "a test"}
	if how == restore {
		act = w.r.console.RestoreRecord
	}
	if err := act(t.Context(), web.User{Name: "ada"}, in); err != nil {
		t.Fatalf("%s %s of %s: %v", how, key, bucket, err)
	}
	if bucket == bus.BucketControl && key == "guard.control" && how == drop {
		if err := w.r.console.Resume(t.Context(), web.User{Name: "ada"}, web.Switching{Why: "nothing was switched"}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, 10*time.Second, "a good check", func() bool { return w.r.checkOf("records").State == health.OK })
}

const (
	restore = "restore"
	drop    = "drop"
)

// event publishes a process start on a new endpoint.
func (w *recordsWorld) event(name string) (sensor string) {
	n := w.next()
	w.r.publish(strings.ReplaceAll(start(n, 7), "evil.exe", name))
	return fmt.Sprint(n)
}

// works checks that an event still leads to a job that ends.
func (w *recordsWorld) works() {
	w.r.t.Helper()
	sensor := w.event("evil.exe")
	await(w.r.t, 30*time.Second, "the end of a job of a new event", func() bool { return w.r.jobOf("list", sensor).State == "succeeded" })
}

// quiet is for how long a job is watched that must not run.
const quiet = 700 * time.Millisecond

// idle checks that the job of a new event does not end.
func (w *recordsWorld) idle() {
	t := w.r.t
	t.Helper()
	sensor := w.event("evil.exe")
	for deadline := time.Now().Add(quiet); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if j := w.r.jobOf("list", sensor); j.State.Terminal() {
			t.Fatalf("the job of sensor %s is %s although what it depends on does not verify", sensor, j.State)
		}
	}
}

// TestNoRecordIsActedOnThatDoesNotVerify: a record of every kind in every bucket and
// stream with seals is replaced by random bytes, one after the other, while the service
// runs and when it starts. It lives, names the record, does nothing that depended on it,
// and goes on after a person has restored or dropped it.
func TestNoRecordIsActedOnThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	w := newRecordsWorld(t)
	tried := 0
	rounds := map[bool][]string{false: {restore}, true: {restore, drop}}[*everyRecord]
	var left func(t *testing.T) // what is checked of a record that was foul at the start
	for _, kind := range append(sealedKinds(), quarantine.Kind{}) {
		part(t, "replica with "+kind.Bucket+" "+kind.Prefix, func(t *testing.T) {
			w.run(t)
			if left != nil {
				left(t)
				tried++
			}
			if kind.Bucket == "" {
				w.complete()
				return
			}
			name := strings.TrimSuffix(kind.Bucket+" "+kind.Prefix, " ")
			dependant, ok := dependants[name]
			if !ok {
				t.Fatalf("records of the kind %q are in no test with random bytes", name)
			}
			for _, how := range rounds {
				if dependant.heals || dependant.dropOnly {
					break
				}
				part(t, name+", while running, then "+how, func(t *testing.T) {
					r := w.r
					w.r = running{r.Service, t}
					defer func() { w.r = r }()
					v := dependant.make(w)
					w.r.foul(kind.Bucket, v.subject())
					w.named(kind, v.key)
					v.held(w)
					w.repair(how, kind.Bucket, v.key)
					v.goesOn(w, how)
					tried++
				})
			}
			v := dependant.make(w)
			w.r.foul(kind.Bucket, v.subject())
			if dependant.heals {
				v.held(w)
			}
			left = func(t *testing.T) {
				if !dependant.heals {
					w.named(kind, v.key)
					v.held(w)
					w.repair(drop, kind.Bucket, v.key)
				}
				v.goesOn(w, drop)
				await(t, 10*time.Second, name+" written again, or gone", func() bool { return w.r.checkOf("records").State == health.OK })
			}
		})
	}
	t.Logf("%d times a record was replaced by random bytes", tried)
}

// sealedKinds are the kinds whose content matters.
func sealedKinds() (all []quarantine.Kind) {
	for _, k := range quarantine.Kinds {
		if !k.Bare {
			all = append(all, k)
		}
	}
	return all
}

// complete checks that no stream, no bucket and no record is left out of the kinds.
func (w *recordsWorld) complete() {
	t := w.r.t
	t.Helper()
	ours := w.r.bus.Streams()
	for info := range w.r.bus.JetStream().ListStreams(t.Context()).Info() {
		if name := info.Config.Name; !slices.Contains(ours, name) {
			t.Errorf("nobody lists the stream %s", name)
		}
	}
	sealed := map[string]bool{"OBJ_" + bus.BucketArtifacts: true}
	for _, s := range bus.SealedStores() {
		sealed[s.Stream] = true
		for key := range w.r.records(s) {
			if _, ok := quarantine.KindOf(s.Name, key); !ok {
				t.Errorf("the record %s of %s is of no kind", key, s.Name)
			}
		}
	}
	for _, name := range ours {
		if _, plain := plainStreams[name]; !plain && !sealed[name] {
			t.Errorf("the stream %s is in no test with random bytes", name)
		}
	}
}

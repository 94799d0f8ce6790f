package natsstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/bus/bustest"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/jobs/internal/freshness"
	"edrpipe/pkg/jobs/job"
	"edrpipe/pkg/seal"
)

// stores are the implementations that every store test runs on.
var stores = map[string]func(t testing.TB) job.Store{
	"memory": func(testing.TB) job.Store { return new(job.Memory) },
	"kv":     func(t testing.TB) job.Store { return newKV(t, newJetStream(t, t.TempDir())) },
}

// newJetStream starts an embedded bus that ends with the test.
func newJetStream(t testing.TB, dir string) jetstream.JetStream {
	t.Helper()
	return startBus(t, natsd.Config{Dir: dir, Sync: time.Minute})
}

// newSyncedJetStream flushes each write to disk, as the product does by default.
func newSyncedJetStream(t testing.TB, dir string) jetstream.JetStream {
	t.Helper()
	return startBus(t, natsd.Config{Dir: dir})
}

func startBus(t testing.TB, cfg natsd.Config) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect("", bustest.Serve(t, cfg).InProcess())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func newKV(t testing.TB, js jetstream.JetStream) *Store {
	t.Helper()
	for _, bucket := range []string{"jobs", "jobs-finished", "control"} {
		_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: bucket, Storage: jetstream.FileStorage})
		if err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			t.Fatal(err)
		}
	}
	k, err := Open(t.Context(), js, "jobs", "jobs-finished", nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func eachStore(t *testing.T, test func(t *testing.T, s job.Store)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func record(id string) *job.Job {
	now := time.Now()
	return &job.Job{
		ID: id, Endpoint: edr.Endpoint{Server: "fake", ID: "1"}, State: job.Queued, Created: now, Updated: now,
		Steps: []actions.Step{{ID: "a", Uses: "test_read"}},
	}
}

func TestStoreCreatesAnIDOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s job.Store) {
		ctx := t.Context()
		first, err := s.Create(ctx, []*job.Job{record("a"), record("b")})
		if err != nil || !slices.Equal(first, []bool{true, true}) {
			t.Fatalf("Create = %v, %v", first, err)
		}
		again, err := s.Create(ctx, []*job.Job{record("b"), record("c"), record("c")})
		if err != nil || !slices.Equal(again, []bool{false, true, false}) {
			t.Fatalf("Create again = %v, %v; want only c, once", again, err)
		}
	})
}

func TestStoreRemembersFinishedJobs(t *testing.T) {
	eachStore(t, func(t *testing.T, s job.Store) {
		ctx := t.Context()
		j := record("a")
		if _, err := s.Create(ctx, []*job.Job{j}); err != nil {
			t.Fatal(err)
		}
		j.State, j.Ended = job.Succeeded, time.Now()
		if err := s.Update(ctx, j); err != nil {
			t.Fatal(err)
		}
		for range 2 { // archiving twice is no error
			if err := s.Archive(ctx, j); err != nil {
				t.Fatal(err)
			}
		}
		if created, err := s.Create(ctx, []*job.Job{record("a")}); err != nil || created[0] {
			t.Errorf("Create of a finished job = %v, %v; want not created", created, err)
		}
		got, err := s.Get(ctx, "a")
		if err != nil || got.State != job.Succeeded {
			t.Errorf("Get = %+v, %v; want the finished job", got, err)
		}
		done, err := job.AllFinished(ctx, s, time.Now().Add(-time.Hour))
		if err != nil || len(done) != 1 || done[0].ID != "a" {
			t.Errorf("Finished = %v, %v; want a", done, err)
		}
		if err := s.Update(ctx, record("a")); !errors.Is(err, job.ErrConflict) {
			t.Errorf("Update of a finished job: %v, want job.ErrConflict", err)
		}
	})
}

func TestStoreUpdatesOnlyTheRevisionAtHand(t *testing.T) {
	eachStore(t, func(t *testing.T, s job.Store) {
		ctx := t.Context()
		if _, err := s.Create(ctx, []*job.Job{record("a")}); err != nil {
			t.Fatal(err)
		}
		var won, lost int
		var mu sync.Mutex
		var writers sync.WaitGroup
		mine, err := s.Get(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			writers.Go(func() {
				j := *mine
				err := s.Update(ctx, &j)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, job.ErrConflict):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		writers.Wait()
		if won != 1 || lost != 7 {
			t.Errorf("%d writers won and %d were told of a conflict, want 1 and 7", won, lost)
		}
	})
}

func TestStoreWatchSeesTheLiveAndTheirChanges(t *testing.T) {
	eachStore(t, func(t *testing.T, s job.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		a, b := record("a"), record("b")
		if _, err := s.Create(ctx, []*job.Job{a, b}); err != nil {
			t.Fatal(err)
		}
		a.State = job.Succeeded
		if err := errors.Join(s.Update(ctx, a), s.Archive(ctx, a)); err != nil {
			t.Fatal(err)
		}
		seen := make(chan string, 100)
		var watching sync.WaitGroup
		watching.Go(func() {
			err := s.Watch(ctx, func(c job.Change) {
				switch {
				case c.Synced:
					seen <- "synced"
				case c.ID == "": // of no job
				case c.Job == nil:
					seen <- "gone " + c.ID
				default:
					seen <- fmt.Sprintf("%s %s", c.ID, c.Job.State)
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Watch: %v", err)
			}
		})
		next := func(want string) {
			t.Helper()
			select {
			case got := <-seen:
				if got != want {
					t.Errorf("saw %q, want %q", got, want)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("saw nothing, want %q", want)
			}
		}
		next("b queued")
		next("synced")
		b.State = job.Failed
		if err := errors.Join(s.Update(ctx, b), s.Archive(ctx, b)); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got == "b failed" { // the bus may leave out what is no longer so
			next("gone b")
		} else if got != "gone b" {
			t.Errorf("saw %q, want that b is gone", got)
		}
		cancel()
		watching.Wait()
	})
}

// TestStoreWatchComesToSeeABarrier also where the last change before the watch
// began was that a job left, and its marker has expired.
func TestStoreWatchComesToSeeABarrier(t *testing.T) {
	eachStore(t, func(t *testing.T, s job.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		a := record("a")
		if _, err := s.Create(ctx, []*job.Job{a, record("b")}); err != nil {
			t.Fatal(err)
		}
		a.State = job.Succeeded
		if err := errors.Join(s.Update(ctx, a), s.Archive(ctx, a)); err != nil {
			t.Fatal(err)
		}
		if kv, ok := s.(*Store); ok {
			if err := kv.stream.Purge(ctx, jetstream.WithPurgeSubject("$KV."+kv.live.Bucket()+".a")); err != nil {
				t.Fatal(err)
			}
		}
		seen := new(freshness.Position)
		seen.Begin(nil)
		var watching sync.WaitGroup
		watching.Go(func() { _ = s.Watch(ctx, func(c job.Change) { seen.Advance(c.Revision) }) })
		for range 3 { // the second asks of an idle store, the third of one that somebody wrote to
			needed, err := s.Barrier(ctx, seen.Seen)
			if err != nil {
				t.Fatal(err)
			}
			if err := seen.Wait(ctx, needed); err != nil {
				t.Errorf("a barrier at %d: %v", needed, err)
			}
			if again, err := s.Barrier(ctx, seen.Seen); err != nil || again != needed {
				t.Errorf("a barrier for who has seen %d is %d, %v; want that it is enough", needed, again, err)
			}
			if _, err := s.Create(ctx, []*job.Job{record(job.NewID())}); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		watching.Wait()
	})
}

func TestKVRefusesADamagedRecord(t *testing.T) {
	js := newJetStream(t, t.TempDir())
	k := newKV(t, js)
	if _, err := k.Create(t.Context(), []*job.Job{record("a")}); err != nil {
		t.Fatal(err)
	}
	entry, err := k.live.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	data := slices.Clone(entry.Value())
	data[len(data)/2] ^= 1
	if _, err := k.live.Put(t.Context(), "a", data); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Get(t.Context(), "a"); !errors.Is(err, job.ErrDamaged) {
		t.Errorf("Get: %v, want job.ErrDamaged", err)
	}
	if _, err := k.Create(t.Context(), []*job.Job{record("b")}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := map[string]error{}
	err = k.Watch(ctx, func(c job.Change) {
		if c.ID != "" {
			seen[c.ID] = c.Foreign
		}
		if c.Synced {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(seen["a"], job.ErrDamaged) || !errors.Is(seen["a"], seal.ErrForeign) || seen["b"] != nil || len(seen) != 2 {
		t.Errorf("Watch ended with %v and has seen %v, want a as damaged and b as it is", err, seen)
	}
}

func TestKVCreatesOnceUnderContention(t *testing.T) {
	k := newKV(t, newJetStream(t, t.TempDir()))
	var mu sync.Mutex
	made := map[string]int{}
	var producers sync.WaitGroup
	for range 4 {
		producers.Go(func() {
			for batch := range 5 {
				var js []*job.Job
				for i := range 20 {
					js = append(js, record(fmt.Sprintf("j-%d-%d", batch, i)))
				}
				created, err := k.Create(t.Context(), js)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for i, c := range created {
					if c {
						made[js[i].ID]++
					}
				}
				mu.Unlock()
			}
		})
	}
	producers.Wait()
	for id, n := range made {
		if n != 1 {
			t.Errorf("%s was created %d times", id, n)
		}
	}
	if len(made) != 100 {
		t.Errorf("%d jobs were created, want 100", len(made))
	}
}

func TestTableStores(t *testing.T) {
	seven := edr.Endpoint{Server: "fake", ID: "7"}
	js := newJetStream(t, t.TempDir())
	newKV(t, js)
	control, err := js.KeyValue(t.Context(), "control")
	if err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]job.TableStore{"memory": new(job.MemoryTable), "kv": Table{Bucket: control, Server: "fake"}} {
		t.Run(name, func(t *testing.T) {
			table, revision, err := store.Load(t.Context())
			if err != nil || len(table.Claims) != 0 || revision != 0 {
				t.Fatalf("Load = %v, %d, %v; want an empty table", table, revision, err)
			}
			table.Claims[seven] = job.Claim{Owner: "a", Epoch: 1, Slot: true}
			next, err := store.Save(t.Context(), table, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Save(t.Context(), table, 0); !errors.Is(err, job.ErrConflict) {
				t.Errorf("Save at an old revision: %v, want job.ErrConflict", err)
			}
			got, revision, err := store.Load(t.Context())
			if err != nil || got.Claims[seven].Owner != "a" || revision != next {
				t.Errorf("Load = %v, %d, %v", got, revision, err)
			}
		})
	}
}

// TestFinishedLeavesNoConsumers: lists are asked for again and again, and a
// stream has a thousand consumers at most. What a reading leaves behind goes soon.
func TestFinishedLeavesNoConsumers(t *testing.T) {
	js := newJetStream(t, t.TempDir())
	if _, err := job.AllFinished(t.Context(), newKV(t, js), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_jobs-finished")
	if err != nil {
		t.Fatal(err)
	}
	for info := range stream.ListConsumers(t.Context()).Info() {
		if got := info.Config.InactiveThreshold; got > batchTimeout {
			t.Errorf("consumer %s stays for %v, want %v at most", info.Name, got, batchTimeout)
		}
	}
}

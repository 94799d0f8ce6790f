package bus_test

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"edrpipe/internal/natsd"
	"edrpipe/pkg/bus"
	"edrpipe/pkg/guard"
	"edrpipe/pkg/shares"
)

// nodes starts the three nodes of a cluster, and returns the address of the first. Each has
// to know the ports of all before they listen, so another process may take one meanwhile.
func nodes(t *testing.T) (first string, err error) {
	t.Helper()
	var listen []net.Listener
	var address []string
	for range 6 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listen, address = append(listen, l), append(address, l.Addr().String())
	}
	for _, l := range listen {
		l.Close()
	}
	errs := make([]error, 3)
	var starting sync.WaitGroup
	for i := range errs {
		starting.Go(func() {
			ns, err := natsd.Start(natsd.Config{
				Dir: t.TempDir(), Listen: address[i], User: "edrpipe", Pass: "only-for-this-test", Sync: time.Second,
				Cluster: &natsd.Cluster{Node: string(rune('a' + i)), Listen: address[3+i], Routes: address[3:]},
			})
			if errs[i] = err; err == nil {
				t.Cleanup(func() { _ = ns.Close() })
			}
		})
	}
	starting.Wait()
	return address[0], errors.Join(errs...)
}

// cluster connects to three nodes once their streams are there.
func cluster(t *testing.T) *bus.Bus {
	t.Helper()
	first, err := nodes(t)
	for range 5 {
		if err == nil {
			break
		}
		first, err = nodes(t)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.Connect(t.Context(), bus.Config{URL: "nats://" + first, User: "edrpipe", Password: "only-for-this-test", Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err = b.Setup(t.Context()); err == nil {
			return b
		}
		if time.Now().After(deadline) { // they have not elected a leader
			t.Fatal(err)
		}
	}
}

// TestReplicasOnACluster: where streams are replicated, the server refuses a write
// with another code while it is still agreeing on somebody else's.
func TestReplicasOnACluster(t *testing.T) {
	b := cluster(t)
	control, err := b.Bucket(t.Context(), bus.BucketControl)
	if err != nil {
		t.Fatal(err)
	}
	var replicas sync.WaitGroup
	for range 8 {
		replicas.Go(func() {
			r := &bus.Records{Bus: b, Bucket: bus.BucketControl}
			for range 10 {
				if err := r.Update(t.Context(), shares.Record{Key: "count.all"}, time.Hour, increment); err != nil {
					t.Errorf("records: %v", err)
				}
			}
		})
		replicas.Go(func() {
			kv := guard.KV{Bucket: control}
			for range 10 {
				_, revision, err := kv.Get(t.Context(), "guard.test")
				if err != nil {
					t.Errorf("guard: %v", err)
				}
				if err := kv.Put(t.Context(), "guard.test", []byte("x"), revision); err != nil && err != guard.ErrConflict {
					t.Errorf("guard: %v", err)
				}
			}
		})
		replicas.Go(func() {
			for range 10 {
				if err := b.PublishOnce(t.Context(), notice("edr.results.r.once", "once")); err != nil {
					t.Errorf("once: %v", err)
				}
			}
		})
	}
	replicas.Wait()
	if got := record(t, b, "count.all"); got != "80" {
		t.Errorf("80 increments by eight replicas gave %s", got)
	}
	results, err := b.JetStream().Stream(t.Context(), bus.StreamResults)
	if err != nil {
		t.Fatal(err)
	}
	info, err := results.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := info.State.Msgs; n != 1 {
		t.Errorf("a notice that is to be there once is there %d times", n)
	}
}

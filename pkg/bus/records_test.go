package bus_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/shares"
)

func increment(data []byte) ([]byte, error) {
	n, _ := strconv.Atoi(string(data))
	return []byte(strconv.Itoa(n + 1)), nil
}

func TestRecordsOfReplicasAreOne(t *testing.T) {
	b, stop := embedded(t, t.TempDir())
	defer stop()
	var replicas sync.WaitGroup
	for range 4 {
		replicas.Go(func() {
			r := &bus.Records{Bus: b, Bucket: bus.BucketControl}
			for range 25 {
				if err := r.Update(t.Context(), shares.Record{Key: "count.all"}, time.Hour, increment); err != nil {
					t.Error(err)
				}
			}
		})
	}
	replicas.Wait()
	if got := record(t, b, "count.all"); got != "100" {
		t.Errorf("100 increments by four replicas gave %s", got)
	}
}

// record reads without changing.
func record(t *testing.T, b *bus.Bus, key string) (value string) {
	t.Helper()
	r := &bus.Records{Bus: b, Bucket: bus.BucketControl}
	stop := errors.New("only looking")
	err := r.Update(t.Context(), shares.Record{Key: key}, time.Hour, func(data []byte) ([]byte, error) {
		value = string(data)
		return nil, stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return value
}

func TestRecordsExpireAndRemoveAndSurvive(t *testing.T) {
	dir := t.TempDir()
	b, stop := embedded(t, dir)
	r := &bus.Records{Bus: b, Bucket: bus.BucketControl}
	for _, key := range []string{"a.kept", "a.removed", "a.expired"} {
		ttl := time.Hour
		if key == "a.expired" {
			ttl = time.Second
		}
		for range 2 { // created, then replaced: the time to live must not be lost
			if err := r.Update(t.Context(), shares.Record{Key: key}, ttl, increment); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Update(t.Context(), shares.Record{Key: "a.removed"}, time.Hour, func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for record(t, b, "a.expired") != "" {
		if ctx.Err() != nil {
			t.Fatal("a record with a second to live is there after twenty")
		}
	}
	stop()
	b, stop = embedded(t, dir)
	defer stop()
	if kept, removed := record(t, b, "a.kept"), record(t, b, "a.removed"); kept != "2" || removed != "" {
		t.Errorf("after a restart: kept %q, removed %q; want 2 and nothing", kept, removed)
	}
}

package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"edrpipe/pkg/bus"
	"edrpipe/pkg/shares"
)

// followed are records that are counted until the test ends, or stop is called.
func followed(t *testing.T, b *bus.Bus, l shares.Limits) (r *bus.Records, stop func()) {
	t.Helper()
	r = &bus.Records{Bus: b, Bucket: bus.BucketControl, Shares: shares.NewLedger(l, nil)}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { r.Follow(ctx) })
	stop = func() { cancel(); following.Wait() }
	t.Cleanup(stop)
	return r, stop
}

// keep writes the n-th record of an endpoint.
func keep(t *testing.T, r *bus.Records, endpoint string, n int) error {
	t.Helper()
	of := shares.Record{Key: fmt.Sprintf("rules.suppress.%s-%d", endpoint, n), Owner: shares.Of(shares.Suppression, "r", "hq", endpoint)}
	return r.Update(t.Context(), of, time.Hour, increment)
}

// eventually asks until cond holds: a replica sees what another wrote when the bus has
// delivered it.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 10s: " + what)
		}
	}
}

// TestSharesOfRecords: an endpoint that makes up keys uses up its own share only, on all
// replicas together, and after a restart of the bus too. What it had goes on.
func TestSharesOfRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, stopBus := embedded(t, dir)
	limits := shares.Limits{Records: 100, Endpoint: 10, Share: 5}
	one, stopOne := followed(t, b, limits)
	two, stopTwo := followed(t, b, limits)
	for n := range 5 {
		if err := keep(t, one, "flood", n); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the other replica's count", func() bool { return two.Shares.Records() == 5 })
	var full *shares.Full
	for _, r := range []*bus.Records{one, two} {
		if err := keep(t, r, "flood", 5); !errors.As(err, &full) || full.Bound != shares.OfShare {
			t.Errorf("the sixth of five: %v", err)
		}
		if err := keep(t, r, "flood", 0); err != nil {
			t.Errorf("one that exists: %v", err)
		}
	}
	if err := keep(t, two, "other", 0); err != nil {
		t.Errorf("another endpoint: %v", err)
	}
	stopOne()
	stopTwo()
	stopBus()
	b, stopBus = embedded(t, dir)
	defer stopBus()
	again, stopAgain := followed(t, b, limits)
	defer stopAgain()
	if err := keep(t, again, "flood", 5); !errors.As(err, &full) {
		t.Errorf("the sixth of five after a restart: %v", err)
	}
	if got := record(t, b, "rules.suppress.flood-0"); got != "3" {
		t.Errorf("the record that exists was changed %s times, want 3", got)
	}
	if err := keep(t, again, "other", 1); err != nil {
		t.Errorf("another endpoint after a restart: %v", err)
	}
}

// TestRecordsMakeRoomAgain: what was removed counts no more, its key can be used again,
// and whoever writes a record, it stays on the account of who made it.
func TestRecordsMakeRoomAgain(t *testing.T) {
	t.Parallel()
	b, stopBus := embedded(t, t.TempDir())
	defer stopBus()
	r, stop := followed(t, b, shares.Limits{Records: 100, Endpoint: 10, Share: 1})
	defer stop()
	if err := keep(t, r, "a", 0); err != nil {
		t.Fatal(err)
	}
	byOther := shares.Record{Key: "rules.suppress.a-0", Owner: shares.Of(shares.Suppression, "r", "hq", "b")}
	if err := r.Update(t.Context(), byOther, time.Hour, increment); err != nil {
		t.Fatal(err)
	}
	late, stopLate := followed(t, b, shares.Limits{Records: 100, Endpoint: 10, Share: 1})
	defer stopLate()
	if err := keep(t, late, "b", 0); err != nil {
		t.Errorf("the record of a counts for b, who wrote it too: %v", err)
	}
	if err := keep(t, late, "a", 1); err == nil {
		t.Error("a has a second record of one")
	}
	if err := r.Update(t.Context(), byOther, time.Hour, func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "room", func() bool { return late.Shares.Records() == 1 })
	if err := keep(t, late, "a", 0); err != nil {
		t.Errorf("the key of a record that was removed: %v", err)
	}
	if got := record(t, b, "rules.suppress.a-0"); got != "1" {
		t.Errorf("the record that was made anew is %q, want 1", got)
	}
}

// TestNoNewRecordBeforeTheCount: as long as the records are not counted none is made.
func TestNoNewRecordBeforeTheCount(t *testing.T) {
	t.Parallel()
	b, stopBus := embedded(t, t.TempDir())
	defer stopBus()
	r := &bus.Records{Bus: b, Bucket: bus.BucketControl, Shares: shares.NewLedger(shares.Limits{}, nil)}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := r.Update(ctx, shares.Record{Key: "rules.suppress.a"}, time.Hour, increment)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a record was made while nothing was counted: %v", err)
	}
	if got := record(t, b, "rules.suppress.a"); got != "" {
		t.Errorf("the record is %q", got)
	}
}

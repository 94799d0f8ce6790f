package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"edrpipe/pkg/directory"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

// slowFleet is a server whose list of endpoints is empty and whose records take 50 ms:
// those named "hangs…" are never answered, "fails…" fail, "none…" are not there.
type slowFleet struct {
	edr.Server
	down     atomic.Bool
	requests atomic.Int64
}

func (f *slowFleet) Name() string { return "hq" }

func (f *slowFleet) Sensors(context.Context, edr.SensorQuery) ([]edr.Sensor, error) {
	return nil, nil
}

func (f *slowFleet) Sensor(ctx context.Context, id string) (edr.Sensor, error) {
	f.requests.Add(1)
	if strings.HasPrefix(id, "hangs") {
		<-ctx.Done()
		return edr.Sensor{}, ctx.Err()
	}
	time.Sleep(50 * time.Millisecond)
	switch {
	case f.down.Load() || strings.HasPrefix(id, "fails"):
		return edr.Sensor{}, edr.ErrServer
	case strings.HasPrefix(id, "none"):
		return edr.Sensor{}, edr.ErrUnknownSensor
	}
	return edr.Sensor{ID: id, Hostname: "WKS-" + id, OS: edr.Windows, Group: "Office"}, nil
}

// running is a directory that Run keeps, in a bubble.
func running(t *testing.T, f *slowFleet, changed func()) *directory.Directory {
	t.Helper()
	d := directory.New(directory.Config{Server: f, Changed: changed, Log: zerolog.Nop()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	synctest.Wait() // the list has been read
	return d
}

// pendingOf fills an event of an endpoint.
func pendingOf(d *directory.Directory, id string) events.Facts {
	e := eventOf(id, "", "")
	d.Fill(e)
	return e.Sensor.Pending
}

// TestNoEventWaitsForARecord: neither that of its own endpoint nor another's.
func TestNoEventWaitsForARecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, began := running(t, &slowFleet{}, nil), time.Now()
		for i := range 20 {
			pendingOf(d, fmt.Sprint("hangs", i))
		}
		if got := pendingOf(d, "7"); got != events.ServerFacts {
			t.Errorf("pending %s before the record is read", got)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the events waited for %s", waited)
		}
	})
}

// TestARecordThatFailsDelaysNoOther: with some that hang and some that fail, newcomers
// are known soon after their first event.
func TestARecordThatFailsDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := running(t, &slowFleet{}, nil)
		pendingOf(d, "hangs")
		for i := range 3 {
			pendingOf(d, fmt.Sprint("fails", i))
		}
		for i := range 1000 {
			id := fmt.Sprint(i)
			pendingOf(d, id)
			time.Sleep(200 * time.Millisecond)
			if got := pendingOf(d, id); got != 0 {
				t.Fatalf("newcomer %d: %s pending 200 ms after its first event", i, got)
			}
		}
		if pendingOf(d, "fails1") == 0 || pendingOf(d, "hangs") == 0 {
			t.Error("facts that were never read are not pending")
		}
	})
}

// TestAServerThatIsDownIsSparedRequests: however many records are wanted; all are read
// once it answers.
func TestAServerThatIsDownIsSparedRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &slowFleet{}
		d := running(t, f, nil)
		f.down.Store(true)
		for i := range 1000 {
			pendingOf(d, fmt.Sprint(i))
		}
		time.Sleep(10 * time.Minute)
		if n := f.requests.Load(); n < 100 || n > 140 {
			t.Errorf("%d requests in ten minutes, want one each five seconds and those of the beginning", n)
		}
		f.down.Store(false)
		time.Sleep(90 * time.Second)
		for i := range 1000 {
			if r, err := d.Lookup(fmt.Sprint(i)); err != nil || r.Group != "Office" {
				t.Fatalf("endpoint %d: %+v, %v", i, r, err)
			}
		}
	})
}

// TestChangesAreTold: also that an endpoint has no record.
func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1", "none"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var changes atomic.Int64
				d := running(t, &slowFleet{}, func() { changes.Add(1) })
				before := changes.Load()
				pendingOf(d, id)
				pendingOf(d, id)
				time.Sleep(time.Second)
				if got := changes.Load() - before; got != 1 || pendingOf(d, id) != 0 {
					t.Errorf("%d changes told, want 1; %s pending", got, pendingOf(d, id))
				}
			})
		})
	}
}

// TestManyWantedAreBounded: those for which there was no room are wanted by a later event.
func TestManyWantedAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &slowFleet{}
		d := running(t, f, nil)
		const most, all = 10_000, 12_000
		for i := range all {
			pendingOf(d, fmt.Sprint(i))
		}
		time.Sleep(most * 50 * time.Millisecond / 4 * 2)
		if n := f.requests.Load(); n != most {
			t.Errorf("%d records read, want %d", n, most)
		}
		id := fmt.Sprint(all - 1)
		pendingOf(d, id)
		time.Sleep(time.Second)
		if _, err := d.Lookup(id); errors.Is(err, directory.ErrUnread) {
			t.Error("the record of a later event is not read")
		}
	})
}

package directory_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/directory"
)

// bucket is a Store of one process.
type bucket struct {
	mu      sync.Mutex
	records map[string][]byte
	fails   error
	writes  int
}

func (b *bucket) Update(_ context.Context, key string, change func([]byte) ([]byte, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		return b.fails
	}
	after, err := change(b.records[key])
	if err == nil && after != nil {
		b.records[key] = after
		b.writes++
	}
	return err
}

func (b *bucket) written() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.writes
}

func (b *bucket) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = err
}

// typeOf is the type of an endpoint at its next event, which does not say it.
func typeOf(t *testing.T, d *directory.Directory, id string) string {
	e := eventOf(id, "", "")
	d.Fill(e)
	return e.Sensor.Type
}

// TestTypesOutliveRestarts: what events have said of types is known after a restart and
// at other replicas, of each server apart, also where the store fails for a while or the
// service ends at once.
func TestTypesOutliveRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bucket{records: map[string][]byte{}}
		start := func() (*directory.Directory, func()) {
			d := directory.New(directory.Config{Server: newFleet(), Store: b})
			if err := d.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { d.Run(ctx); close(ended) }()
			synctest.Wait()
			return d, func() { stop(); <-ended }
		}
		d, stop := start()
		other, stopOther := start()
		b.fail(errors.New("the disk is full"))
		d.Fill(eventOf("2", "", "workstation"))
		time.Sleep(10 * time.Second)
		b.fail(nil)
		time.Sleep(2 * time.Minute)
		if n := b.written(); n != 1 {
			t.Errorf("%d writes for one type", n)
		}
		for range 50 {
			d.Fill(eventOf("2", "", "workstation"))
		}
		for id := range 200 {
			d.Fill(eventOf(fmt.Sprint(1000+id), "", "domain_controller"))
			synctest.Wait() // what the first leads to is written; the rest waits for its turn
		}
		stop() // before the next write
		if n := b.written(); n > 1+1+32 {
			t.Errorf("%d writes for 201 types", n)
		}
		d, stop = start()
		for id, want := range map[string]string{"2": "workstation", "1000": "domain_controller", "1199": "domain_controller", "7": ""} {
			if got := typeOf(t, d, id); got != want {
				t.Errorf("after a restart, of %s: %q, want %q", id, got, want)
			}
		}
		time.Sleep(11 * time.Minute)
		if got := typeOf(t, other, "2"); got != "workstation" {
			t.Errorf("at another replica: %q", got)
		}
		d.Fill(eventOf("2", "", "server")) // it was made one
		stop()
		stopOther()
		d, stop = start()
		defer stop()
		if got := typeOf(t, d, "2"); got != "server" {
			t.Errorf("a type that changed is %q after a restart", got)
		}
		branch := directory.New(directory.Config{Server: namedFleet{newFleet(), "branch"}, Store: b})
		if err := branch.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := typeOf(t, branch, "2"); got != "" {
			t.Errorf("of the same id on another server: %q", got)
		}
	})
}

// namedFleet is a fleet of another server.
type namedFleet struct {
	*fleet
	name string
}

func (f namedFleet) Name() string { return f.name }

// TestTypesThatCannotBeRead: a record that does not verify is an error, and the types of
// other records are known.
func TestTypesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := &bucket{records: map[string][]byte{}}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	d := directory.New(directory.Config{Server: newFleet(), Store: b})
	for id := range 200 {
		d.Fill(eventOf(fmt.Sprint(1000+id), "", "server"))
	}
	d.Run(ctx)
	for key := range b.records {
		b.records[key] = []byte("no JSON")
		break
	}
	d = directory.New(directory.Config{Server: newFleet(), Store: b})
	if err := d.Load(t.Context()); err == nil {
		t.Error("a damaged record is no error")
	}
	known := 0
	for id := range 200 {
		if typeOf(t, d, fmt.Sprint(1000+id)) == "server" {
			known++
		}
	}
	if known == 0 || known == 200 {
		t.Errorf("%d of 200 types are known, want those of all records but one", known)
	}
}

package jobs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// blinking is a store whose first Watch ends at lose and whose second sees
// nothing before regain.
type blinking struct {
	Memory
	watched      bool
	lose, regain chan struct{}
}

func (b *blinking) Watch(ctx context.Context, see func(Change)) error {
	if b.watched {
		select {
		case <-b.regain:
		case <-ctx.Done():
			return ctx.Err()
		}
		return b.Memory.Watch(ctx, see)
	}
	b.watched = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Memory.Watch(ctx, see) }()
	select {
	case <-b.lose:
		cancel()
		<-ended
		return errors.New("the connection is lost")
	case err := <-ended:
		return err
	}
}

// TestWhoLostSightOfTheRecordsStartsNothing: while the records are not watched,
// another replica may have put jobs before those that we know, and a sensor's
// order would be lost.
func TestWhoLostSightOfTheRecordsStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blinking{lose: make(chan struct{}), regain: make(chan struct{})}
		srv := newFakeServer(10)
		srv.add(1, time.Second)
		s, stop := start(t, Config{Server: srv, Store: store})
		defer stop()
		before := chain(1, step("test_run", "before"))
		enqueue(t, s, before)
		wantEnd(t, s, before.ID, Succeeded)
		time.Sleep(time.Minute) // no session lingers
		close(store.lose)
		synctest.Wait()
		unseen := chain(1, step("test_run", "first"))
		unseen.Created, unseen.Server, unseen.State, unseen.Priority, unseen.ID = time.Now(), srv.Name(), Queued, Normal, NewID()
		unseen.Deadline = time.Now().Add(time.Hour)
		if _, err := store.Create(t.Context(), []*Job{unseen}); err != nil { // by another replica
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		later := chain(1, step("test_run", "second"))
		enqueue(t, s, later)
		time.Sleep(time.Minute)
		if n := len(srv.order[1]); n != 1 {
			t.Errorf("%d commands ran while the records were out of sight: %v", n-1, srv.order[1])
		}
		close(store.regain)
		wantEnd(t, s, later.ID, Succeeded)
		if got := srv.order[1]; len(got) != 3 || got[1] != "first" || got[2] != "second" {
			t.Errorf("ran %v, want before, first, second", got)
		}
	})
}

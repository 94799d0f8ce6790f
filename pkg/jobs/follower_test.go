package jobs

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
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

// watcher is a scheduler with one sensor, 1, and a store that may hide things from it.
type watcher struct {
	*Scheduler
	t     *testing.T
	srv   *fakeServer
	store Store
}

func newWatcher(t *testing.T, store Store) watcher {
	t.Helper()
	srv := newFakeServer(10)
	srv.add(1, time.Second)
	s, stop := start(t, Config{Server: srv, Store: store})
	t.Cleanup(stop)
	return watcher{s, t, srv, store}
}

// enqueue enqueues a job of one command.
func (s watcher) enqueue(name string) *Job {
	s.t.Helper()
	j := chain(1, step("test_run", name))
	enqueue(s.t, s.Scheduler, j)
	return j
}

// ranBefore has a job run to its end.
func (s watcher) ranBefore() {
	s.t.Helper()
	wantEnd(s.t, s.Scheduler, s.enqueue("before").ID, Succeeded)
	time.Sleep(time.Minute)
}

// recorded is a job as it is written.
func (s watcher) recorded(name string) *Job {
	j := chain(1, step("test_run", name))
	j.Created, j.State, j.Priority, j.ID = time.Now(), Queued, Normal, NewID()
	j.Deadline = time.Now().Add(time.Hour)
	nameSteps(j.Steps, "step")
	return j
}

// byAnother records a job as another replica would.
func (s watcher) byAnother(j *Job) *Job {
	s.t.Helper()
	if _, err := s.store.Create(s.t.Context(), []*Job{j}); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(time.Second)
	return j
}

// wantOrder checks which commands have run.
func (s watcher) wantOrder(want ...string) {
	s.t.Helper()
	if got := s.srv.order[1]; !slices.Equal(got, want) {
		s.t.Errorf("ran %v, want %v", got, want)
	}
}

// TestWhoLostSightOfTheRecordsStartsNothing: while the records are not watched,
// another replica may have put jobs before those that we know, and a sensor's
// order would be lost.
func TestWhoLostSightOfTheRecordsStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blinking{lose: make(chan struct{}), regain: make(chan struct{})}
		s := newWatcher(t, store)
		s.ranBefore()
		close(store.lose)
		synctest.Wait()
		s.byAnother(s.recorded("first"))
		later := s.enqueue("second")
		time.Sleep(time.Minute)
		s.wantOrder("before") // nothing while the records are out of sight
		close(store.regain)
		wantEnd(t, s.Scheduler, later.ID, Succeeded)
		s.wantOrder("before", "first", "second")
	})
}

// frozen is a store whose first Watch stands still at freeze, without an error,
// as one does whose consumer the bus has lost.
type frozen struct {
	Memory
	watches int
	freeze  atomic.Bool
}

func (f *frozen) Watch(ctx context.Context, see func(Change)) error {
	f.watches++
	first := f.watches == 1
	return f.Memory.Watch(ctx, func(c Change) {
		if !first || !f.freeze.Load() {
			see(c)
		}
	})
}

// TestAWatchThatStandsStillIsNoticed: every request works, the watch alone shows
// nothing any more. What another replica records first must run first.
func TestAWatchThatStandsStillIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(frozen)
		s := newWatcher(t, store)
		s.ranBefore()
		store.freeze.Store(true)
		unseen := s.byAnother(s.recorded("first"))
		later := s.enqueue("second")
		wantEnd(t, s.Scheduler, later.ID, Succeeded)
		wantEnd(t, s.Scheduler, unseen.ID, Succeeded)
		s.wantOrder("before", "first", "second")
	})
}

// TestAWatchThatStandsStillIsNoticedByNobodysNeed: no job of our own has the
// records looked at, and the job of another replica, which has died, still runs.
func TestAWatchThatStandsStillIsNoticedByNobodysNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(frozen)
		s := newWatcher(t, store)
		time.Sleep(time.Minute)
		store.freeze.Store(true)
		unseen := s.byAnother(s.recorded("unseen"))
		time.Sleep(time.Minute)
		if j, err := store.Get(t.Context(), unseen.ID); err != nil || j.State != Succeeded {
			t.Errorf("a minute later the job is %v, %v", j, err)
		}
	})
}

// TestJobsThatLeftUnseenAreForgotten: what ended elsewhere while nobody watched is
// neither waited for nor counted.
func TestJobsThatLeftUnseenAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blinking{lose: make(chan struct{}), regain: make(chan struct{})}
		s := newWatcher(t, store)
		s.srv.set(1, func(s *fakeSensor) { s.online = false })
		parked := s.enqueue("parked")
		time.Sleep(time.Minute)
		close(store.lose)
		synctest.Wait()
		j, err := store.Get(t.Context(), parked.ID)
		if err != nil {
			t.Fatal(err)
		}
		j.State = Cancelled
		if err := errors.Join(store.Update(t.Context(), j), store.Archive(t.Context(), j)); err != nil {
			t.Fatal(err)
		}
		close(store.regain)
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(slices.Collect(s.queue.Jobs())); n != 0 {
			t.Errorf("%d jobs are still taken for live", n)
		}
	})
}

// unreadable is a store that cannot read one job for a while.
type unreadable struct {
	Memory
	id    string
	until time.Time
}

func (u *unreadable) Get(ctx context.Context, id string) (*Job, error) {
	if id == u.id && time.Now().Before(u.until) {
		return nil, errors.New("the bus does not answer")
	}
	return u.Memory.Get(ctx, id)
}

// TestAJobThatCannotBeReadIsNotPassed: its sensor's later jobs wait with it, and
// everybody can see why.
func TestAJobThatCannotBeReadIsNotPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(unreadable)
		s := newWatcher(t, store)
		first, second := chain(1, step("test_run", "first")), chain(1, step("test_run", "second"))
		first.ID = NewID()
		store.id, store.until = first.ID, time.Now().Add(time.Minute)
		enqueue(t, s.Scheduler, first, second)
		why := map[Reason]bool{}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			x, err := s.Explain(t.Context(), second.ID)
			if err != nil {
				t.Fatal(err)
			}
			why[x.Reason] = true
		}
		if !why[ReasonBus] {
			t.Errorf("the second waited for %v; want %q among them", why, ReasonBus)
		}
		wantEnd(t, s.Scheduler, second.ID, Succeeded)
		s.wantOrder("first", "second")
	})
}

// late is a store whose watch leaves out the first version of one job, as a bus
// does that keeps only the latest, and shows the later ones only from some time on.
type late struct {
	Memory
	id    string
	until time.Time
}

func (l *late) Watch(ctx context.Context, see func(Change)) error {
	return l.Memory.Watch(ctx, func(c Change) {
		if c.ID == l.id && c.Job != nil {
			if c.Job.History == nil {
				return
			}
			time.Sleep(time.Until(l.until))
		}
		see(c)
	})
}

// TestAJobKnownOnlyByALaterVersionIsNotPassed: the first was recorded first, and
// changed after the second was; the watch shows the second alone for a while.
func TestAJobKnownOnlyByALaterVersionIsNotPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &late{id: NewID(), until: time.Now().Add(5 * time.Second)}
		s := newWatcher(t, store)
		synctest.Wait()
		s.Pause("for the test")
		first := s.recorded("first")
		first.ID = store.id
		s.byAnother(first)
		second := s.enqueue("second")
		first.History = []Transition{{At: time.Now(), State: Queued}}
		if err := store.Update(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		s.Resume()
		wantEnd(t, s.Scheduler, second.ID, Succeeded)
		s.wantOrder("first", "second")
	})
}

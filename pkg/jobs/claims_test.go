package jobs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/jobs/internal/run"
)

// standstill is a table of a replica that hears nothing of its bus for a while.
type standstill struct {
	TableStore
	until atomic.Pointer[time.Time]
}

func (s *standstill) wait() {
	if until := s.until.Load(); until != nil {
		time.Sleep(time.Until(*until))
	}
}

func (s *standstill) Load(ctx context.Context) (Table, uint64, error) {
	s.wait()
	return s.TableStore.Load(ctx)
}

func (s *standstill) Save(ctx context.Context, t Table, revision uint64) (uint64, error) {
	s.wait()
	return s.TableStore.Save(ctx, t, revision)
}

// TestAClaimThatIsTooOldAllowsNothing: where no session is fenced and no record has
// changed yet, the age of the claim is all that keeps a replica which stood still from
// acting beside the one that takes its place.
func TestAClaimThatIsTooOldAllowsNothing(t *testing.T) {
	t.Parallel()
	for uses, ran := range map[string]string{"test_isolate": "1 isolate true", "test_post": "1 post x"} {
		t.Run(uses, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, table := newFakeServer(10), &standstill{TableStore: new(MemoryTable)}
				srv.add(1, 30*time.Second)
				woken := make(chan struct{})
				var once sync.Once
				s, stop := start(t, Config{Server: srv, Table: table, Admit: func(context.Context, admission.Request) admission.Verdict {
					once.Do(func() {
						awake := time.Now().Add(takeAfter * 2 * time.Second)
						until := awake.Add(time.Millisecond) // the act comes before the news of the claim
						table.until.Store(&until)
						time.Sleep(time.Until(awake))
						close(woken)
					})
					return admission.Verdict{}
				}})
				defer stop()
				j := chain(1, step(uses, "x"))
				enqueue(t, s, j)
				<-woken
				synctest.Wait()
				if n := srv.seen().ran[ran]; n != 0 {
					t.Errorf("a replica that stood still for longer than its claims live acted %d times", n)
				}
				wantEnd(t, s, j.ID, Succeeded)
				if n := srv.seen().ran[ran]; n != 1 {
					t.Errorf("it ran %d times in the end, want once", n)
				}
			})
		})
	}
}

// TestClaimsAreTakenOverInTime: not while the owner may still act, at once afterwards,
// and the former owner can neither change nor release what another has.
func TestClaimsAreTakenOverInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Written out: they are a promise to the other replicas, whatever version those are.
		const beat, acts, left = 2 * time.Second, 6 * time.Second, 8 * time.Second
		store := new(MemoryTable)
		a, b := newClaims(store, "a", beat), newClaims(store, "b", beat)
		mine, _, err := a.take(t.Context(), at(1), true, 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for waited := time.Duration(0); waited < left; waited += beat / 4 {
			if err := b.load(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, _, err := b.take(t.Context(), at(1), true, 10)
			if !errors.Is(err, errElsewhere) || len(b.leftovers()) > 0 || !b.elsewhere(at(1)) {
				t.Fatalf("taken over after %v of %v: %v", waited, left, err)
			}
			if valid, may := a.valid(at(1), mine.Epoch) == nil, waited < acts; valid != may {
				t.Errorf("after %v without a renewal the owner may act: %t, want %t", waited, valid, may)
			}
			time.Sleep(beat / 4)
		}
		theirs, was, err := b.take(t.Context(), at(1), true, 10)
		if err != nil || was.Owner != "a" || theirs.Epoch == mine.Epoch {
			t.Fatalf("taking over: %+v, was %+v, %v", theirs, was, err)
		}
		if err := a.set(t.Context(), at(1), mine.Epoch, func(*Table, *Claim) error { return nil }); !errors.Is(err, run.ErrFenced) {
			t.Errorf("the former owner changes the claim: %v", err)
		}
		if err := a.release(t.Context(), at(1), mine.Epoch); !errors.Is(err, run.ErrFenced) {
			t.Errorf("the former owner releases the claim: %v", err)
		}
		if err := b.load(t.Context()); err != nil || b.valid(at(1), theirs.Epoch) != nil || b.slots() != 1 {
			t.Errorf("the claim of the new owner is gone: %v, %v, %d slots", err, b.valid(at(1), theirs.Epoch), b.slots())
		}
	})
}

// TestAGroupIsHeldByItsClaim: a job does not begin while another replica has one of its
// group in the slot table, also where this one has not seen that job.
func TestAGroupIsHeldByItsClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const beat, busy = 2 * time.Second, time.Minute
		srv, table := newFakeServer(10), new(MemoryTable)
		srv.add(2, 30*time.Second)
		other := newClaims(table, "other", beat)
		cl, _, err := other.take(t.Context(), at(2), true, 10)
		if err != nil {
			t.Fatal(err)
		}
		err = other.set(t.Context(), at(2), cl.Epoch, func(_ *Table, cl *Claim) error { cl.Group = "g"; return nil })
		if err != nil {
			t.Fatal(err)
		}
		s, stop := start(t, Config{Server: srv, Table: table, Owner: "one"})
		defer stop()
		j, free := chain(1, step("test_run", "a")), chain(1, step("test_run", "b"))
		j.Group, free.Group = "g", "another"
		enqueue(t, s, j, free)
		for began := time.Now(); time.Since(began) < busy; time.Sleep(beat) {
			if err := other.renew(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if ran := srv.seen().ran; ran["1 create process a"] != 0 || ran["1 create process b"] != 1 {
			t.Errorf("while the group was taken: %v", ran)
		}
		if err := other.release(t.Context(), at(2), cl.Epoch); err != nil {
			t.Fatal(err)
		}
		wantEnd(t, s, j.ID, Succeeded)
	})
}

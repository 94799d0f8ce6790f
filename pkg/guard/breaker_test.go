package guard

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// breakerGuard is one replica on a store of several.
func breakerGuard(store Store, b Breaker, now *time.Time, changes *[]Change) *Guard {
	return New(Config{Store: store, Policy: &Policy{Breaker: b}, Now: func() time.Time { return *now }, Log: zerolog.Nop(),
		Record: func(_ context.Context, c Change) { *changes = append(*changes, c) }})
}

// TestTheBreakerOfDefaults: with nothing but a number, ten minutes count, and only a
// person closes it.
func TestTheBreakerOfDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaker Breaker
		apart   time.Duration // between two of three
		open    bool
	}{
		"three failures within ten minutes": {Breaker{Failures: 3}, 4*time.Minute + 59*time.Second, true},
		"three failures in more":            {Breaker{Failures: 3}, 5 * time.Minute, false},
		"three jobs within ten minutes":     {Breaker{Jobs: 2}, 4*time.Minute + 59*time.Second, true},
		"three jobs in more":                {Breaker{Jobs: 2}, 5 * time.Minute, false},
		"three jobs are allowed":            {Breaker{Jobs: 3}, time.Second, false},
		"no breaker":                        {Breaker{}, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now, changes := monday, []Change(nil)
			g := breakerGuard(new(Memory), c.breaker, &now, &changes)
			for _, job := range []string{"a", "b", "c"} {
				if err := errors.Join(g.Failed(t.Context(), "r", job), g.Took(t.Context(), "r", job)); err != nil {
					t.Fatal(err)
				}
				now = now.Add(c.apart)
			}
			now = now.AddDate(1, 0, 0)
			open, err := g.Breakers(t.Context(), []string{"other", "r"})
			if err != nil || (len(open) == 1) != c.open {
				t.Fatalf("a year later: %+v, %v", open, err)
			}
			err = g.Reset(t.Context(), "r", "ann", "looked at it")
			if !c.open {
				if !errors.Is(err, ErrClosed) || len(changes) != 0 {
					t.Errorf("reset of a closed breaker: %v, recorded %+v", err, changes)
				}
				return
			}
			if open, _ := g.Breakers(t.Context(), []string{"r"}); err != nil || len(open) != 0 {
				t.Errorf("after the reset: %+v, %v", open, err)
			}
			if last := changes[len(changes)-1]; last.What != "reset" || last.By != "ann" || last.Why != "looked at it" || last.On != "r" {
				t.Errorf("recorded %+v", last)
			}
		})
	}
}

// TestAResetHoldsOnEveryReplica: what another replica counted before does not open
// the breaker again.
func TestAResetHoldsOnEveryReplica(t *testing.T) {
	t.Parallel()
	now, changes := monday, []Change(nil)
	store := new(Memory)
	a, b := breakerGuard(store, Breaker{Jobs: 3}, &now, &changes), breakerGuard(store, Breaker{Jobs: 3}, &now, &changes)
	took := func(g *Guard, n int) {
		for range n {
			now = now.Add(time.Second)
			if err := g.Took(t.Context(), "r", now.String()); err != nil {
				t.Fatal(err)
			}
		}
	}
	took(a, 4)
	took(b, 4)
	now = now.Add(time.Second)
	if err := a.Reset(t.Context(), "r", "ann", "checked"); err != nil {
		t.Fatal(err)
	}
	took(b, 2)
	if open, _, err := b.Open(t.Context(), "r"); err != nil || open != nil {
		t.Errorf("two more jobs on the other replica: %+v, %v", open, err)
	}
	took(b, 4)
	if open, _, err := b.Open(t.Context(), "r"); err != nil || open == nil {
		t.Errorf("a new storm: %+v, %v", open, err)
	}
}

package guard

import (
	"fmt"
	"testing"
	"time"
)

// TestALimitAnswersTheSameUntilSettled, whatever other jobs came in between and however
// long it took; settled jobs count for as long as the limit's time.
func TestALimitAnswersTheSameUntilSettled(t *testing.T) {
	t.Parallel()
	now := monday
	store := new(Memory)
	g := New(Config{Store: store, Now: func() time.Time { return now }})
	may := func(unit string) bool {
		t.Helper()
		ok, until, err := g.Quota(t.Context(), "r", unit, 2, time.Hour)
		if err != nil || ok != until.IsZero() {
			t.Fatalf("unit %s: %v, until %v, %v", unit, ok, until, err)
		}
		return ok
	}
	expect := func(when, units string, want bool) {
		t.Helper()
		for _, unit := range units {
			if got := may(string(unit)); got != want {
				t.Errorf("%s: %c may act: %v", when, unit, got)
			}
		}
	}
	expect("there is room", "ab", true)
	expect("there is none", "cd", false)
	now = now.Add(2 * time.Hour)
	expect("there is room again", "e", true)
	expect("a batch of before comes again", "ab", true)
	expect("a batch of before comes again", "cd", false)
	if err := g.Settled(t.Context(), "r", time.Hour, []string{"a", "b", "c", "d"}); err != nil {
		t.Fatal(err)
	}
	expect("only one counts now", "f", true)
	expect("the limit is reached", "g", false)
	if err := g.Settled(t.Context(), "r", time.Hour, []string{"e", "f", "g"}); err != nil {
		t.Fatal(err)
	}
	expect("settled ones count", "h", false)
	now = now.Add(time.Hour)
	if err := g.Settled(t.Context(), "r", time.Hour, []string{"h"}); err != nil {
		t.Fatal(err)
	}
	if q, _, err := read[quota](t.Context(), store, quotaKey("r")); err != nil || len(q.Entries) != 0 {
		t.Errorf("all are settled and over: %+v, %v", q, err)
	}
	for i := range 2 * maxUnits {
		may(fmt.Sprint("more", i))
	}
	if q, _, err := read[quota](t.Context(), store, quotaKey("r")); err != nil || len(q.Entries) != 2+maxUnits {
		t.Errorf("%d units are kept, want %d, %v", len(q.Entries), 2+maxUnits, err)
	}
}

// TestABatchThatComesAgainOpensNoBreaker: its jobs count once.
func TestABatchThatComesAgainOpensNoBreaker(t *testing.T) {
	t.Parallel()
	now, changes := monday, []Change(nil)
	g := breakerGuard(new(Memory), Breaker{Jobs: 3}, &now, &changes)
	for range 10 {
		for _, job := range []string{"a", "b", "c"} {
			if err := g.Took(t.Context(), "r", job); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(30 * time.Second)
	}
	if open, _, err := g.Open(t.Context(), "r"); err != nil || open != nil {
		t.Errorf("three jobs of which three are allowed: %+v, %v", open, err)
	}
	if err := g.Took(t.Context(), "r", "d"); err != nil {
		t.Fatal(err)
	}
	if open, _, err := g.Open(t.Context(), "r"); err != nil || open == nil {
		t.Errorf("the fourth: %+v, %v", open, err)
	}
}

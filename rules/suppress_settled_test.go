package rules

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
)

// TestSuppressionAnswersTheSameUntilSettled: whatever other events came in between and
// however long it took, a batch that comes again has the answers of the first time.
func TestSuppressionAnswersTheSameUntilSettled(t *testing.T) {
	t.Parallel()
	set := loadText(t, suppressing)
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{epoch}
		s := &Suppressor{State: &MemoryState{Now: c.Now}, Now: c.Now}
		e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User = "ann" })
		found, _ := set.Match(e)
		var m *Match
		for i := range found {
			if found[i].Rule.ID == "twice-per-user" {
				m = &found[i]
			}
		}
		pending := map[string]Suppression{}
		for range rapid.IntRange(1, 40).Draw(t, "events") {
			c.now = c.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "minutes")) * time.Minute)
			job := fmt.Sprint(rapid.IntRange(0, 15).Draw(t, "job"))
			ask := Ask{Set: set, Match: m, Endpoint: sensor42, Job: job}
			first, again := pending[job]
			if again && rapid.Bool().Draw(t, "settle") {
				if err := s.Settled(t.Context(), []Ask{ask}); err != nil {
					t.Fatal(err)
				}
				delete(pending, job)
				continue
			}
			got, err := s.Claim(t.Context(), ask)
			switch {
			case err != nil:
				t.Fatal(err)
			case again && got != first:
				t.Fatalf("job %s: %+v, and before its event was settled %+v", job, got, first)
			}
			pending[job] = got
		}
	})
}

// TestSettledAnswersAreForgotten in time: the memory of a key ends with its suppression.
func TestSettledAnswersAreForgotten(t *testing.T) {
	t.Parallel()
	set := loadText(t, suppressing)
	c := &clock{epoch}
	state := &MemoryState{Now: c.Now}
	s := &Suppressor{State: state, Now: c.Now}
	e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User = "ann" })
	m := matchOf(t, set, "twice-per-user", e)
	var asks []Ask
	for i := range 4 {
		asks = append(asks, Ask{Set: set, Match: m, Endpoint: sensor42, Job: fmt.Sprint(i)})
	}
	if answers := s.ClaimAll(t.Context(), asks); answers[1].Suppressed || !answers[2].Suppressed {
		t.Fatalf("answers %+v", answers)
	}
	kept := func() (claims []claim) {
		k, err := asks[0].keyed(false)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.update(t.Context(), k.record, time.Hour, func(c []claim) ([]claim, bool) { claims = c; return c, false }); err != nil {
			t.Fatal(err)
		}
		return claims
	}
	for _, step := range []struct {
		settled []Ask
		want    int
	}{{nil, 4}, {asks[0:1], 4}, {asks[2:3], 3}, {asks[3:4], 2}} { // one that acted counts on
		if err := s.Settled(t.Context(), step.settled); err != nil {
			t.Fatal(err)
		}
		if got := kept(); len(got) != step.want {
			t.Errorf("after %d are settled: %+v, want %d", len(step.settled), got, step.want)
		}
	}
	c.now = c.now.Add(24 * time.Hour)
	if got := kept(); len(got) == 0 {
		t.Error("the answer of an event that is not settled is forgotten after a day")
	}
	if err := s.Settled(t.Context(), asks); err != nil {
		t.Fatal(err)
	}
	if got := kept(); len(got) != 0 {
		t.Errorf("all are settled and over: %+v", got)
	}
	if _, err := s.Claim(t.Context(), asks[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.Settled(t.Context(), asks[:1]); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Hour)
	if got := kept(); got != nil {
		t.Errorf("the record outlives the suppression: %+v", got)
	}
}

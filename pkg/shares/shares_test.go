package shares

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// boundOf is the bound that an error names; "" where there is none.
func boundOf(t *testing.T, err error) Bound {
	t.Helper()
	var full *Full
	if err == nil {
		return ""
	}
	if !errors.As(err, &full) {
		t.Fatalf("error %v is no *Full", err)
	}
	return full.Bound
}

// TestEachBound is met by what it is the bound of, and by nothing else.
func TestEachBound(t *testing.T) {
	t.Parallel()
	limits := Limits{Records: 10, Rule: 6, Endpoint: 4, Share: 2}
	type step struct {
		use, rule, endpoint string
		want                Bound
	}
	s, c := Suppression, Correlation
	for name, steps := range map[string][]step{
		"share":    {{s, "r", "a", ""}, {s, "r", "a", ""}, {s, "r", "a", OfShare}, {c, "r", "a", ""}, {s, "q", "a", ""}, {s, "r", "b", ""}},
		"endpoint": {{s, "r", "a", ""}, {s, "r", "a", ""}, {s, "q", "a", ""}, {s, "q", "a", ""}, {s, "p", "a", OfEndpoint}, {s, "p", "b", ""}},
		"rule":     {{s, "r", "a", ""}, {s, "r", "a", ""}, {s, "r", "b", ""}, {s, "r", "b", ""}, {s, "r", "c", ""}, {c, "r", "c", ""}, {s, "r", "d", OfRule}, {s, "q", "d", ""}},
		"in all": {{s, "r", "a", ""}, {s, "r", "b", ""}, {s, "r", "c", ""}, {s, "r", "d", ""}, {s, "r", "e", ""}, {s, "q", "a", ""}, {s, "q", "b", ""},
			{s, "q", "c", ""}, {s, "q", "d", ""}, {s, "q", "e", ""}, {s, "p", "f", InAll}},
	} {
		g := NewLedger(limits, func() time.Time { return epoch })
		for i, step := range steps {
			err := g.Reserve(Record{Key: fmt.Sprint(i), Owner: Of(step.use, step.rule, "hq", step.endpoint)}, epoch.Add(time.Hour))
			if got := boundOf(t, err); got != step.want {
				t.Errorf("%s, record %d: %q, want %q", name, i, got, step.want)
			}
			if err != nil && !strings.Contains(err.Error(), string(step.want)) {
				t.Errorf("%s: %q does not name %s", name, err, step.want)
			}
		}
	}
}

// TestRoomComesBack by expiry, removal and writes that failed, and not otherwise.
func TestRoomComesBack(t *testing.T) {
	t.Parallel()
	now := epoch
	g := NewLedger(Limits{Share: 1}, func() time.Time { return now })
	a, b := Record{Key: "a", Owner: Of(Suppression, "r", "hq", "1")}, Record{Key: "b", Owner: Of(Suppression, "r", "hq", "1")}
	take := func(r Record) Bound { return boundOf(t, g.Reserve(r, now.Add(time.Minute))) }
	if first, again, second := take(a), take(a), take(b); first != "" || again != "" || second != OfShare {
		t.Error("one record of one: the first, again, and no second")
	}
	g.Release("a")
	if take(b) != "" {
		t.Error("the room of a write that failed is not given back")
	}
	g.See(b, now.Add(time.Minute))
	g.Release("b") // too late: it exists
	if take(a) != OfShare {
		t.Error("a record that was seen is released")
	}
	g.Gone("b")
	if take(a) != "" || g.Records() != 1 {
		t.Error("a record that was removed takes room")
	}
	now = now.Add(time.Minute + 10*time.Second)
	if take(b) != "" || g.Records() != 1 {
		t.Error("a record that has expired takes room, although the bus has not said so")
	}
	if crowded := g.Crowded(epoch); len(crowded) != 1 || crowded[0].Endpoint != "hq/1" || crowded[0].Bound != OfShare || !crowded[0].At.Equal(epoch) {
		t.Errorf("crowded: %+v", crowded)
	}
	if crowded := g.Crowded(now); len(crowded) != 0 {
		t.Errorf("crowded lately: %+v", crowded)
	}
	if owner, _, known := g.Owner("b"); !known || owner != b.Owner {
		t.Errorf("owner of b: %+v, %v", owner, known)
	}
	g.Reset()
	if g.Records() != 0 || take(a) != "" {
		t.Error("a reset leaves records")
	}
}

// TestTogetherUntilItEnds: as long as keys count together no new one begins by itself, and
// the bound that was reached first stays named.
func TestTogetherUntilItEnds(t *testing.T) {
	t.Parallel()
	g := NewLedger(Limits{Records: 20, Share: 1}, func() time.Time { return epoch })
	owner := Of(Correlation, "r", "hq", "1")
	take := func(key string, together bool) Bound {
		return boundOf(t, g.Reserve(Record{Key: key, Owner: owner, Together: together}, epoch.Add(time.Hour)))
	}
	if take("a", false) != "" || take("b", false) != OfShare || take("all", true) != "" {
		t.Fatal("a share of one, and the record of the others")
	}
	g.Gone("a")
	if got := take("b", false); got != AlreadyTogether {
		t.Errorf("a key that may have counted together begins anew: %q", got)
	}
	if c := g.Crowded(epoch); len(c) != 1 || c[0].Bound != OfShare {
		t.Errorf("crowded: %+v", c)
	}
	g.Gone("all")
	if got := take("b", false); got != "" {
		t.Errorf("after it: %q", got)
	}
	for i := 1; i < 23; i++ {
		take(fmt.Sprint("together", i), true)
	}
	if got := g.Records(); got != 23 {
		t.Errorf("%d records, want a tenth and one above 20", got)
	}
}

// TestCountsAreThoseOfTheRecords: whatever is reserved, seen, released and removed, the
// counts are those of counting anew.
func TestCountsAreThoseOfTheRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := epoch
		g := NewLedger(Limits{Records: 12, Rule: 8, Endpoint: 6, Share: 3}, func() time.Time { return now })
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			r := Record{
				Key:      fmt.Sprint(rapid.IntRange(0, 15).Draw(t, "key")),
				Owner:    Of(rapid.SampledFrom([]string{Suppression, Correlation}).Draw(t, "use"), rapid.SampledFrom([]string{"r", "q"}).Draw(t, "rule"), "hq", rapid.SampledFrom([]string{"1", "2"}).Draw(t, "endpoint")),
				Together: rapid.IntRange(0, 5).Draw(t, "together") == 0,
			}
			until := now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "lasts")) * time.Second)
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				_ = g.Reserve(r, until)
			case 2:
				g.See(r, until)
			case 3:
				g.Release(r.Key)
			case 4:
				g.Gone(r.Key)
				now = now.Add(10 * time.Second)
			}
		}
		rules, points, together := map[string]int{}, map[string]int{}, 0
		for _, e := range g.entries {
			if e.together {
				together++
				continue
			}
			rules[e.of.Rule]++
			points[e.of.Endpoint]++
		}
		if fmt.Sprint(rules, points, together) != fmt.Sprint(g.rules, g.points, g.together) {
			t.Fatalf("counts %v %v %d, records %v %v %d", g.rules, g.points, g.together, rules, points, together)
		}
	})
}

func TestEndpointsOfAnyLength(t *testing.T) {
	t.Parallel()
	if got := len(Of(Suppression, "r", "hq", strings.Repeat("x", 10_000)).Endpoint); got != maxEndpoint {
		t.Errorf("an endpoint's name takes %d bytes", got)
	}
	l := Limits{Records: 10}.WithDefaults()
	if l.Rule != 2 || l.Endpoint != 1 || l.Share != 1 {
		t.Errorf("limits of ten records: %+v", l)
	}
	if l := (Limits{}).WithDefaults(); l != (Limits{Records: 500_000, Rule: 125_000, Endpoint: 10_000, Share: 2000}) {
		t.Errorf("defaults: %+v", l)
	}
}

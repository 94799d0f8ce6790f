package rules

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"edrpipe/pkg/events"
	"edrpipe/pkg/shares"
)

// shared is a state with room for two records of each rule and endpoint.
func shared(c *clock) *MemoryState {
	return &MemoryState{Now: c.Now, Shares: shares.NewLedger(shares.Limits{Records: 100, Endpoint: 20, Share: 2}, c.Now)}
}

// TestAFloodOfKeysSuppressesOnlyItself: an endpoint that makes up keys does not make a job
// act twice for one of them, and leaves the keys of another endpoint as they are.
func TestAFloodOfKeysSuppressesOnlyItself(t *testing.T) {
	t.Parallel()
	set := loadText(t, suppressing)
	c := &clock{epoch}
	state := shared(c)
	s := &Suppressor{State: state, Now: c.Now}
	ask := func(endpoint, guid, job string) Ask {
		e := hit("watchlist.hit.process", events.WatchlistHit, guid, func(e *events.Event) { e.Watchlist.ID = 31; e.Sensor.ID = endpoint })
		return Ask{Set: set, Match: matchOf(t, set, "default", e), Endpoint: sensor42, Job: job}
	}
	claim := func(endpoint, guid, job string) Suppression {
		t.Helper()
		got, err := s.Claim(t.Context(), ask(endpoint, guid, job))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for i := range 2 {
		if got := claim("1", fmt.Sprint("p", i), fmt.Sprint("job", i)); got.Suppressed || got.Full != nil {
			t.Fatalf("within the share: %+v", got)
		}
	}
	first := claim("1", "p2", "job2")
	if first.Suppressed || first.Full == nil || first.Full.Bound != shares.OfShare {
		t.Errorf("the first beyond the share is known not to have acted: %+v", first)
	}
	for i, guid := range []string{"p2", "p3", "p4"} {
		if got := claim("1", guid, fmt.Sprint("again", i)); !got.Suppressed || got.By != "job2" || got.Full == nil {
			t.Errorf("%s may have acted by itself: %+v", guid, got)
		}
	}
	if got := claim("1", "p2", "job2"); got.Suppressed {
		t.Errorf("a redelivered event has another answer than before: %+v", got)
	}
	if got := claim("1", "p0", "twin"); !got.Suppressed || got.By != "job0" || got.Full != nil {
		t.Errorf("a key that has a record: %+v", got)
	}
	if got := claim("2", "q0", "other"); got.Suppressed || got.Full != nil {
		t.Errorf("another endpoint: %+v", got)
	}
	settled := ask("1", "p2", "job2")
	settled.Together = true
	for i := range 3 {
		a := ask("1", fmt.Sprint("p", 2+i), fmt.Sprint("again", i))
		a.Together = true
		if err := s.Settled(t.Context(), []Ask{a}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settled(t.Context(), []Ask{settled}); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(DefaultSuppression / 2)
	for i := range 2 { // the share has room again, and p2 has acted lately
		state.Shares.Gone(stateKey("suppress", "default", sensor42.String(), fmt.Sprintf("p%d|watchlist 31 ", i)))
	}
	if got := claim("1", "p2", "later"); !got.Suppressed || got.By != "job2" {
		t.Errorf("a key that counted together acts twice: %+v", got)
	}
	late := ask("1", "p2", "later")
	late.Together = true
	if err := s.Settled(t.Context(), []Ask{late}); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(DefaultSuppression + 10*time.Second)
	if got := claim("1", "p2", "much later"); got.Suppressed || got.Full != nil {
		t.Errorf("when it is over: %+v", got)
	}
}

// TestOneKeyOfTwoEndpoints: of questions about one key that come together, those of the
// flooding endpoint do not take the room of the other's.
func TestOneKeyOfTwoEndpoints(t *testing.T) {
	t.Parallel()
	set := loadText(t, suppressing)
	c := &clock{epoch}
	s := &Suppressor{State: shared(c), Now: c.Now}
	ask := func(endpoint, user, job string) Ask {
		e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User, e.Sensor.ID = user, endpoint })
		return Ask{Set: set, Match: matchOf(t, set, "twice-per-user", e), Endpoint: sensor42, Job: job}
	}
	for i := range 3 {
		if _, err := s.Claim(t.Context(), ask("1", fmt.Sprint("user", i), fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	got := s.ClaimAll(t.Context(), []Ask{ask("1", "ann", "a"), ask("2", "ann", "b"), ask("2", "ann", "c"), ask("2", "ann", "d")})
	if got[0].Full == nil || got[1].Full != nil || got[1].Suppressed || got[2].Suppressed || !got[3].Suppressed {
		t.Errorf("answers %+v", got)
	}
}

// TestNoRoomAtAllIsNoPermission: where not even the record of all can be kept, nothing
// acts, and nothing is complete.
func TestNoRoomAtAllIsNoPermission(t *testing.T) {
	t.Parallel()
	set := loadText(t, suppressing)
	c := &clock{epoch}
	ledger := shares.NewLedger(shares.Limits{Records: 1}, c.Now)
	for i := range 3 {
		ledger.See(shares.Record{Key: fmt.Sprint(i)}, c.now.Add(time.Hour))
	}
	state := &MemoryState{Now: c.Now, Shares: ledger}
	e := hit("watchlist.hit.process", events.WatchlistHit, "p", func(e *events.Event) { e.Watchlist.ID = 31 })
	got, err := (&Suppressor{State: state, Now: c.Now}).Claim(t.Context(), Ask{Set: set, Match: matchOf(t, set, "default", e), Endpoint: sensor42, Job: "j"})
	if err != nil || !got.Suppressed || got.By != "" || got.Full == nil || got.Full.Bound != shares.InAll {
		t.Errorf("suppression: %+v, %v", got, err)
	}
	set = loadText(t, correlating)
	found, _ := set.Match(at(0, "a", 1, connection(22)))
	matches, _, err := (&Correlator{State: state, Now: c.Now}).Correlate(t.Context(), set, found)
	if err != nil || len(matches) != 1 || matches[0].Refused != CorrelationLost || matches[0].Full == nil {
		t.Errorf("correlation: %+v, %v", matches, err)
	}
}

const perUser = `
rules:
  - id: three
    on: network
    when: net.remote_port == 22
    correlate: { type: event_count, group_by: [process.user], timespan: 1m, gte: 3 }
    steps: [{ uses: list_processes }]
  - id: any
    on: network
    when: net.remote_port == 22
    steps: [{ uses: list_processes }]
  - id: three-and-any
    on: network
    when: "true"
    correlate: { type: temporal, rules: [three, any], group_by: [sensor.id], timespan: 1h }
    steps: [{ uses: list_processes }]
`

// TestAFloodOfGroupsHidesNoDetection: what an endpoint does in a group without a record
// counts together with its other groups and becomes a question for a person; another
// endpoint's groups are complete as before.
func TestAFloodOfGroupsHidesNoDetection(t *testing.T) {
	t.Parallel()
	set := loadText(t, perUser)
	clk := &clock{epoch}
	c := &Correlator{State: shared(clk), Now: clk.Now}
	n := 0
	connect := func(sensor int, user string) (all []Match) {
		t.Helper()
		n++
		e := at(time.Duration(n)*time.Second, fmt.Sprint("e", n), sensor, func(e *events.Event) { connection(22)(e); e.Process.User = user })
		found, _ := set.Match(e)
		all, failures, err := c.Correlate(t.Context(), set, found)
		if err != nil || len(failures) > 0 {
			t.Fatal(err, failures)
		}
		if err := c.Settled(t.Context(), set, all); err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(m Match) bool { return m.Rule.ID == "any" })
		return slices.CompactFunc(all, func(a, b Match) bool { return a.Rule.ID == b.Rule.ID })
	}
	connect(1, "flood1")
	connect(1, "flood2")
	for i := range 2 {
		got := connect(1, "evil")
		if len(got) != 1 || got[0].Refused != CorrelationFull || got[0].Full.Bound == shares.InAll {
			t.Fatalf("event %d beyond the share: %+v", i, got)
		}
	}
	got := connect(1, "evil")
	if len(got) != 2 || got[0].Refused != "" || got[0].Doubt == "" || got[0].Correlated["count"] != 3 {
		t.Errorf("the third of three: %+v, want a match with a doubt", got)
	}
	if len(got) == 2 && (got[1].Rule.ID != "three-and-any" || got[1].Doubt == "") {
		t.Errorf("what it feeds has no doubt: %+v", got[1])
	}
	for i, want := range []int{0, 0, 2} {
		got := connect(2, "bob")
		if len(got) != want || want > 0 && (got[0].Doubt != "" || got[0].Refused != "") {
			t.Errorf("another endpoint's event %d: %+v", i, got)
		}
	}
}

// TestWhatIsNotCompleteFeedsNothing: a correlation that could not be counted is no match
// for the rules that wait for it.
func TestWhatIsNotCompleteFeedsNothing(t *testing.T) {
	t.Parallel()
	set := loadText(t, perUser)
	clk := &clock{epoch}
	c := &Correlator{State: shared(clk), Now: clk.Now}
	for i := range 4 {
		e := at(time.Duration(i)*time.Second, fmt.Sprint(i), 1, func(e *events.Event) { connection(22)(e); e.Process.User = fmt.Sprint("u", i) })
		found, _ := set.Match(e)
		all, _, err := c.Correlate(t.Context(), set, found)
		if err != nil || slices.ContainsFunc(all, func(m Match) bool { return m.Rule.ID == "three-and-any" }) {
			t.Errorf("event %d: %+v, %v", i, all, err)
		}
	}
}

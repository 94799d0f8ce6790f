package rules

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/shares"
)

const suppressing = `
rules:
  - id: default
    on: [watchlist.*, feed.*, alert.*]
    when: "true"
    steps: [{ uses: list_processes }]
  - id: twice-per-user
    on: process_start
    when: "true"
    suppress: { key: [process.user], for: 1h, count: 2 }
    steps: [{ uses: list_processes }]
  - id: never
    on: process_start
    when: "true"
    suppress: { for: 0s }
    steps: [{ uses: list_processes }]
`

func matchOf(t *testing.T, set *Set, rule string, e *events.Event) *Match {
	t.Helper()
	found, failures := set.Match(e)
	for i := range found {
		if found[i].Rule.ID == rule {
			return &found[i]
		}
	}
	t.Fatalf("rule %s does not match: %v, failures %v", rule, found, failures)
	return nil
}

var sensor42 = edr.Endpoint{Server: "edr", ID: "42"}

func hit(typ, kind, guid string, fill func(*events.Event)) *events.Event {
	e := &events.Event{}
	e.Event.Type, e.Event.Kind = typ, kind
	e.Sensor.Server, e.Sensor.ID, e.Sensor.IDs = "edr", "42", []string{"42"}
	e.Process.GUID = guid
	if fill != nil {
		fill(e)
	}
	return e
}

// A clock that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestTwinsDoNotActTwice(t *testing.T) {
	const guid = "0000002a-0000-113c-01da-ff710e784000"
	list := func(e *events.Event) { e.Watchlist.ID = 31 }
	feed := func(e *events.Event) { e.Feed.ID, e.Feed.ReportID = 24, "r-17" }
	alert := func(e *events.Event) { e.Watchlist.ID, e.Feed.ID = 31, -1 }
	tests := []struct {
		name       string
		first, too *events.Event
		suppressed bool
	}{
		{"watchlist hit and storage hit", hit("watchlist.hit.process", events.WatchlistHit, guid, list), hit("watchlist.storage.hit.process", events.WatchlistHit, guid, list), true},
		{"its alert", hit("watchlist.hit.process", events.WatchlistHit, guid, list), hit("alert.watchlist.hit.query.process", events.AlertRaised, guid, alert), true},
		{"feed ingress and storage", hit("feed.ingress.hit.process", events.FeedHit, guid, feed), hit("feed.storage.hit.process", events.FeedHit, guid, feed), true},
		{"another process", hit("watchlist.hit.process", events.WatchlistHit, guid, list), hit("watchlist.hit.process", events.WatchlistHit, "other", list), false},
		{"another report", hit("feed.ingress.hit.process", events.FeedHit, guid, feed), hit("feed.ingress.hit.process", events.FeedHit, guid, func(e *events.Event) { e.Feed.ID, e.Feed.ReportID = 24, "r-18" }), false},
	}
	set := loadText(t, suppressing)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &clock{epoch}
			s := &Suppressor{State: &MemoryState{Now: c.Now}, Now: c.Now}
			for i, e := range []*events.Event{tt.first, tt.too} {
				got, err := s.Claim(context.Background(), Ask{Set: set, Match: matchOf(t, set, "default", e), Endpoint: sensor42, Job: fmt.Sprint("job", i)})
				if err != nil {
					t.Fatal(err)
				}
				if want := i == 1 && tt.suppressed; got.Suppressed != want {
					t.Errorf("event %d: suppressed = %v, want %v", i, got.Suppressed, want)
				}
				c.now = c.now.Add(7 * time.Minute)
			}
		})
	}
}

func TestSuppression(t *testing.T) {
	set := loadText(t, suppressing)
	c := &clock{epoch}
	s := &Suppressor{State: &MemoryState{Now: c.Now}, Now: c.Now}
	claim := func(rule, user, job string) Suppression {
		t.Helper()
		e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User = user })
		got, err := s.Claim(context.Background(), Ask{Set: set, Match: matchOf(t, set, rule, e), Endpoint: sensor42, Job: job})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	steps := []struct {
		after           time.Duration
		rule, user, job string
		suppressed      bool
	}{
		{0, "twice-per-user", "ann", "1", false},
		{time.Minute, "twice-per-user", "ann", "2", false},
		{time.Minute, "twice-per-user", "ann", "3", true},
		{0, "twice-per-user", "ann", "2", false}, // redelivered: its job may not be stored yet
		{0, "twice-per-user", "bob", "4", false},
		{time.Hour - 2*time.Minute, "twice-per-user", "ann", "5", false}, // the first has run out
		{0, "twice-per-user", "ann", "6", true},
		{0, "never", "ann", "7", false},
		{0, "never", "ann", "8", false},
	}
	for i, step := range steps {
		c.now = c.now.Add(step.after)
		if got := claim(step.rule, step.user, step.job); got.Suppressed != step.suppressed {
			t.Errorf("step %d, job %s: suppressed = %+v, want %v", i, step.job, got, step.suppressed)
		}
	}
}

// What looks alike when it is written together is not one key: neither parts that
// run into each other, nor a number and its text, nor a rule and its use.
func TestStateKeysOfWhatLooksAlike(t *testing.T) {
	t.Parallel()
	type named struct {
		use   string
		parts []any
	}
	keys := map[string]named{}
	for _, k := range []named{
		{"suppress", []any{"a", "bc"}}, {"suppress", []any{"ab", "c"}}, {"suppress", []any{"abc"}}, {"suppress", []any{"abc", ""}}, {"suppress", []any{"", "abc"}},
		{"suppress", []any{"a", "b", "c"}}, {"suppress", []any{"a", 1}}, {"suppress", []any{"a", "1"}}, {"suppress", []any{"a", 1.0}}, {"suppress", []any{"a", true}},
		{"suppress", []any{"a", "true"}}, {"suppress", []any{"a", nil}}, {"suppress", []any{"a", "<nil>"}}, {"suppress", []any{"a", []string{"x y"}}},
		{"suppress", []any{"a", []string{"x", "y"}}}, {"correlate", []any{"a", "bc"}}, {"suppress", []any{"a:string", "c"}}, {"suppress", []any{"astring:bc"}},
	} {
		key := stateKey(k.use, k.parts...)
		if other, taken := keys[key]; taken {
			t.Errorf("%v and %v have the key %s", k, other, key)
		}
		keys[key] = k
	}
}

// Two rules whose keys have the same values do not suppress each other.
func TestRulesSuppressOnlyThemselves(t *testing.T) {
	t.Parallel()
	const rule = `
  - id: %s
    on: process_start
    when: "true"
    suppress: { key: [process.user, process.name], for: 1h }
    steps: [{ uses: list_processes }]
`
	set := loadText(t, "rules:"+fmt.Sprintf(rule, "alike")+fmt.Sprintf(rule, "alike-2"))
	c := &clock{epoch}
	s := &Suppressor{State: &MemoryState{Now: c.Now}, Now: c.Now}
	for i, step := range []struct {
		rule, user, name string
		suppressed       bool
	}{
		{"alike", "ann", "x", false}, {"alike-2", "ann", "x", false}, {"alike", "an", "nx", false},
		{"alike", "ann", "x", true}, {"alike-2", "ann", "x", true},
	} {
		e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User, e.Process.Name = step.user, step.name })
		got, err := s.Claim(t.Context(), Ask{Set: set, Match: matchOf(t, set, step.rule, e), Endpoint: edr.Endpoint{Server: "hq", ID: "42"}, Job: fmt.Sprint("job", i)})
		if err != nil || got.Suppressed != step.suppressed {
			t.Errorf("step %d, %+v: suppressed = %v, %v", i, step, got.Suppressed, err)
		}
	}
}

func TestMemoryStateIsBounded(t *testing.T) {
	c := &clock{epoch}
	m := &MemoryState{Now: c.Now, MaxKeys: 3}
	put := func(key string, ttl time.Duration) {
		if err := m.Update(context.Background(), shares.Record{Key: key}, ttl, func([]byte) ([]byte, error) { return []byte("x"), nil }); err != nil {
			t.Fatal(err)
		}
	}
	has := func(key string) (found bool) {
		_ = m.Update(context.Background(), shares.Record{Key: key}, time.Hour, func(b []byte) ([]byte, error) { found = b != nil; return b, nil })
		return found
	}
	put("a", time.Hour)
	put("b", time.Minute)
	put("c", 2*time.Hour)
	put("d", time.Hour) // b expires first, so it goes
	if has("b") || !has("a") || !has("d") || m.Evicted() != 1 {
		t.Errorf("after the fourth of three: a %v, b %v, d %v, evicted %d", has("a"), has("b"), has("d"), m.Evicted())
	}
	c.now = c.now.Add(90 * time.Minute)
	put("e", time.Hour)
	if m.Evicted() != 1 {
		t.Errorf("evicted %d, want 1: what has expired makes room", m.Evicted())
	}
}

// meeting is a State that answers nobody before so many keys are asked about, and
// counts.
type meeting struct {
	MemoryState
	keys           int
	mu             sync.Mutex
	asked, written int
	met            chan struct{}
}

func (m *meeting) Update(ctx context.Context, key shares.Record, ttl time.Duration, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	if m.asked++; m.asked == m.keys {
		close(m.met)
	}
	m.mu.Unlock()
	<-m.met
	err := m.MemoryState.Update(ctx, key, ttl, change)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.written++
	}
	return err
}

func TestKeysAreAskedAboutAtOnceAndEachOnce(t *testing.T) {
	const users, each = 20, 10
	set := loadText(t, suppressing)
	state := &meeting{keys: users, met: make(chan struct{})}
	s := &Suppressor{State: state}
	var asks []Ask
	for i := range users * each {
		e := hit("ingress.event.procstart", events.ProcessStart, "g", func(e *events.Event) { e.Process.User = fmt.Sprint("user", i%users) })
		asks = append(asks, Ask{Set: set, Match: matchOf(t, set, "twice-per-user", e), Endpoint: sensor42, Job: fmt.Sprint(i)})
	}
	for i, got := range s.ClaimAll(t.Context(), asks) {
		if want := i >= 2*users; got.Err != nil || got.Suppressed != want {
			t.Errorf("question %d: %+v, want suppressed %t: the first two of a user act", i, got, want)
		}
	}
	if state.asked != users || state.written != users {
		t.Errorf("the state was asked %d times and written %d times for %d keys", state.asked, state.written, users)
	}
	for i, got := range s.ClaimAll(t.Context(), asks) { // as they are redelivered
		if want := i >= 2*users; got.Err != nil || got.Suppressed != want {
			t.Errorf("question %d again: %+v, want suppressed %t", i, got, want)
		}
	}
	if state.written != users {
		t.Errorf("%d writes when there was nothing new", state.written-users)
	}
}

// TestKeysOfRulesThatLookAlike: what one rule acted for suppresses no other, with keys of
// their own and without.
func TestKeysOfRulesThatLookAlike(t *testing.T) {
	t.Parallel()
	rule := func(id, suppress string) string {
		return fmt.Sprintf("  - { id: %s, on: process_start, when: \"true\", suppress: { %s }, steps: [{ uses: list_processes }] }\n", id, suppress)
	}
	set := loadText(t, "rules:\n"+rule("a", "key: [process.user], for: 1h")+rule("b", "key: [process.user], for: 1h")+
		rule("own", "for: 1h")+rule("default", "for: 1h")+
		rule("two", "key: ['\"x\"', '\"y\"'], for: 1h")+rule("list", "key: ['[\"x\", \"y\"]'], for: 1h")+
		rule("number", "key: ['1'], for: 1h")+rule("text", "key: ['\"1\"'], for: 1h"))
	s := &Suppressor{State: &MemoryState{}}
	e := hit("ingress.event.procstart", events.ProcessStart, "guid", func(e *events.Event) { e.Process.User = "own" })
	for _, id := range []string{"a", "b", "own", "default", "two", "list", "number", "text"} {
		for try, want := range []bool{false, true} {
			got, err := s.Claim(t.Context(), Ask{Set: set, Match: matchOf(t, set, id, e), Endpoint: sensor42, Job: fmt.Sprint(id, try)})
			if err != nil || got.Suppressed != want {
				t.Errorf("rule %s, job %d: %+v, %v; want suppressed %t", id, try, got, err, want)
			}
		}
	}
}

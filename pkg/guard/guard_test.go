package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var known = []Action{
	{"get_file", false}, {"list_processes", false}, {"publish", false},
	{"isolate", true}, {"unisolate", true}, {"kill_process", true}, {"run", true}, {"delete_file", true},
}

const guards = `
protected:
  - name: domain-controllers
    why: the directory must stay up
    sensors: sensor.group == "Domain Controllers" || sensor.type == "domain_controller"
    deny: [isolate, kill_process]
rules:
  - path: community/**
    allow: [get_file, "list_*", isolate]
  - path: trial/**
    allow: "*"
    mode: shadow
approvals:
  - name: servers
    actions: isolate
    sensors: sensor.group == "Servers"
    from: soc-leads
    require: 2
    within: 15m
budgets:
  - name: isolations
    actions: isolate
    sensors: 3
    per: 1h
breaker: { failures: 3, jobs: 10, usual: 2, per: 10m, shadow_for: 1h }
hours:
  - name: office
    actions: run
    days: [mon, tue, wed, thu, fri]
    from: "08:00"
    to: "18:00"
    timezone: Europe/Berlin
`

func load(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Load("guards.yaml", []byte(text), known)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// monday is a Monday, 10:00 in Berlin.
var monday = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

func newGuard(t testing.TB, store Store, now func() time.Time) *Guard {
	t.Helper()
	return New(Config{Store: store, Policy: load(t, guards), Facts: workstation, Now: now})
}

func at(when time.Time) func() time.Time { return func() time.Time { return when } }

// workstation are facts of which none is missing.
func workstation(_ context.Context, _ edr.Endpoint, _ edr.Sensor, s *events.Sensor) {
	s.Known = events.AllFacts
}

func isolate(sensor int, group string) admission.Request {
	return admission.Request{
		Job: fmt.Sprintf("job-%d", sensor), Step: "iso", Rule: "r", RulePath: "soc/r.yaml", Submitter: "rule",
		Action: "isolate", Destructive: true, Sensor: edr.Sensor{ID: strconv.Itoa(sensor), Group: group},
	}
}

func TestAdmit(t *testing.T) {
	with := func(change func(*admission.Request)) admission.Request {
		a := isolate(1, "Office")
		change(&a)
		return a
	}
	yes := func(who ...string) (answers []admission.Answer) {
		for _, w := range who {
			answers = append(answers, admission.Answer{By: w, Groups: []string{"soc-leads"}, Allow: true})
		}
		return answers
	}
	cases := []struct {
		name string
		ask  admission.Request
		want admission.Decision
		why  Reason
	}{
		{"nothing against it", isolate(1, "Office"), admission.Allow, ""},
		{"protected by what the server says", isolate(1, "Domain Controllers"), admission.Deny, Protected},
		{"protected by what the event says", with(func(a *admission.Request) {
			a.Event = &events.Event{Sensor: events.Sensor{ID: "1", Type: "domain_controller"}}
		}), admission.Deny, Protected},
		{"the event speaks of another sensor", with(func(a *admission.Request) {
			a.Event = &events.Event{Sensor: events.Sensor{ID: "2", Type: "domain_controller"}}
		}), admission.Allow, ""},
		{"the event cannot overrule the server", with(func(a *admission.Request) {
			a.Sensor.Group = "Domain Controllers"
			a.Event = &events.Event{Sensor: events.Sensor{ID: "1", Group: "Office"}}
		}), admission.Deny, Protected},
		{"protected from other actions only", with(func(a *admission.Request) { a.Sensor.Group = "Domain Controllers"; a.Action = "get_file" }), admission.Allow, ""},
		{"undo of a protected sensor", with(func(a *admission.Request) {
			a.Sensor.Group = "Domain Controllers"
			a.Action = "unisolate"
			a.Undo = true
		}), admission.Allow, ""},
		{"path allows", with(func(a *admission.Request) { a.RulePath = "community/x/y.yaml" }), admission.Allow, ""},
		{"path allows a pattern", with(func(a *admission.Request) { a.RulePath = "community/y.yaml"; a.Action = "list_processes" }), admission.Allow, ""},
		{"path does not allow", with(func(a *admission.Request) { a.RulePath = "community/y.yaml"; a.Action = "kill_process" }), admission.Deny, NotAllowed},
		{"path unknown", with(func(a *admission.Request) { a.RulePath = "" }), admission.Deny, NotAllowed},
		{"a person's job has no path", with(func(a *admission.Request) { a.Rule, a.RulePath, a.Submitter = "", "", "ann" }), admission.Allow, ""},
		{"path in shadow mode", with(func(a *admission.Request) { a.RulePath = "trial/y.yaml" }), admission.Shadow, RuleShadow},
		{"rule in shadow mode", with(func(a *admission.Request) { a.Shadow = true }), admission.Shadow, RuleShadow},
		{"a sensor of which nothing is known", with(func(a *admission.Request) { a.Sensor = edr.Sensor{} }), admission.Hold, Undecided},
		{"needs approval", isolate(1, "Servers"), admission.Hold, Unapproved},
		{"one of two", with(func(a *admission.Request) { a.Sensor.Group = "Servers"; a.Answers = yes("ann") }), admission.Hold, Unapproved},
		{"the same person twice", with(func(a *admission.Request) { a.Sensor.Group = "Servers"; a.Answers = yes("ann", "ann") }), admission.Hold, Unapproved},
		{"somebody else's word", with(func(a *admission.Request) {
			a.Sensor.Group = "Servers"
			a.Answers = append(yes("ann"), admission.Answer{By: "bob", Groups: []string{"interns"}, Allow: true})
		}), admission.Hold, Unapproved},
		{"two people", with(func(a *admission.Request) { a.Sensor.Group = "Servers"; a.Answers = yes("ann", "bob") }), admission.Allow, ""},
		{"one says no", with(func(a *admission.Request) {
			a.Sensor.Group = "Servers"
			a.Answers = append(yes("ann", "bob"), admission.Answer{By: "eve", Groups: []string{"soc-leads"}})
		}), admission.Deny, Refused},
		{"approval does not open a protection", with(func(a *admission.Request) { a.Sensor.Group = "Domain Controllers"; a.Answers = yes("ann", "bob") }), admission.Deny, Protected},
		{"in office hours", with(func(a *admission.Request) { a.Action = "run" }), admission.Allow, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := newGuard(t, nil, at(monday))
			got := g.Admit(t.Context(), c.ask)
			if got.Decision != c.want || got.Reason != c.why {
				t.Errorf("got %+v, want %s %s", got, c.want, c.why)
			}
			if early := g.Enqueue(t.Context(), c.ask); (early.Decision == admission.Deny) != (c.want == admission.Deny && c.why != Refused) {
				t.Errorf("at enqueue: %+v", early)
			}
		})
	}
}

func TestHours(t *testing.T) {
	a := isolate(1, "Office")
	a.Action = "run"
	for _, c := range []struct {
		now  string
		open bool
		next string
	}{
		{"2026-01-05T06:59:59Z", false, "2026-01-05T07:00:00Z"}, // Monday, 07:59:59 in Berlin
		{"2026-01-05T07:00:00Z", true, ""},
		{"2026-01-05T17:00:00Z", false, "2026-01-06T07:00:00Z"},
		{"2026-01-09T20:00:00Z", false, "2026-01-12T07:00:00Z"}, // Friday evening
		{"2026-03-27T20:00:00Z", false, "2026-03-30T06:00:00Z"}, // clocks go forward on the 29th
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		v := newGuard(t, nil, at(now)).Admit(t.Context(), a)
		if (v.Decision == admission.Allow) != c.open || !c.open && v.Until.UTC().Format(time.RFC3339) != c.next {
			t.Errorf("%s: %+v, want open %v, next %s", c.now, v, c.open, c.next)
		}
	}
}

func TestHoursOverMidnight(t *testing.T) {
	w := Window{From: "22:00", To: "06:00", Days: []string{"Fri"}}
	if wrong := w.compile(); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	friday := time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC)
	for hour, want := range map[int]bool{21: false, 22: true, 24: true, 29: true, 30: false, 46: false} {
		if got, _ := w.span.open(friday.Add(time.Duration(hour) * time.Hour)); got != want {
			t.Errorf("Friday + %d h: open = %v, want %v", hour, got, want)
		}
	}
}

func TestBudget(t *testing.T) {
	now := monday
	g := newGuard(t, nil, func() time.Time { return now })
	for sensor := 1; sensor <= 3; sensor++ {
		if v := g.Admit(t.Context(), isolate(sensor, "Office")); v.Decision != admission.Allow {
			t.Fatalf("sensor %d: %+v", sensor, v)
		}
		now = now.Add(time.Minute)
	}
	v := g.Admit(t.Context(), isolate(4, "Office"))
	if v.Decision != admission.Hold || v.Reason != Budget || !v.Until.Equal(monday.Add(time.Hour)) {
		t.Errorf("the fourth: %+v, want it held for an hour after the first", v)
	}
	if v := g.Admit(t.Context(), isolate(2, "Office")); v.Decision != admission.Allow {
		t.Errorf("asking again costs: %+v", v)
	}
	undo := isolate(9, "Office")
	undo.Action, undo.Undo = "unisolate", true
	if v := g.Admit(t.Context(), undo); v.Decision != admission.Allow {
		t.Errorf("an undo is held: %+v", v)
	}
	now = v.Until
	if v := g.Admit(t.Context(), isolate(4, "Office")); v.Decision != admission.Allow {
		t.Errorf("when the first is an hour ago: %+v", v)
	}
	s, err := g.Status(t.Context())
	if err != nil || s.Budgets[0].Used != 3 || s.Budgets[0].Limit != 3 {
		t.Errorf("status = %+v, %v", s, err)
	}
}

func TestBreakerOpensOnFailures(t *testing.T) {
	now := monday
	store := &Memory{}
	var changes []Change
	g := New(Config{Store: store, Policy: load(t, guards), Facts: workstation, Now: func() time.Time { return now }, Record: func(_ context.Context, c Change) { changes = append(changes, c) }})
	for _, job := range []string{"a", "b", "b", "b"} {
		if err := g.Failed(t.Context(), "r", job); err != nil {
			t.Fatal(err)
		}
	}
	if v := g.Admit(t.Context(), isolate(1, "Office")); v.Decision != admission.Allow {
		t.Fatalf("two failed jobs, one told three times: %+v", v)
	}
	if err := g.Failed(t.Context(), "r", "c"); err != nil {
		t.Fatal(err)
	}
	other := newGuard(t, store, func() time.Time { return now }) // another replica
	if v := other.Admit(t.Context(), isolate(1, "Office")); v.Decision != admission.Shadow || v.Reason != Tripped {
		t.Errorf("after three: %+v", v)
	}
	elsewhere := isolate(1, "Office")
	elsewhere.Rule = "another"
	if v := g.Admit(t.Context(), elsewhere); v.Decision != admission.Allow {
		t.Errorf("another rule: %+v", v)
	}
	now = now.Add(time.Hour)
	if v := g.Admit(t.Context(), isolate(1, "Office")); v.Decision != admission.Allow {
		t.Errorf("an hour later: %+v", v)
	}
	if len(changes) != 1 || changes[0].What != "breaker" || changes[0].On != "r" {
		t.Errorf("recorded %+v", changes)
	}
}

func TestBreakerOpensOnUnusualVolume(t *testing.T) {
	now := monday
	g := newGuard(t, nil, func() time.Time { return now })
	job := 0
	took := func(n int) {
		for range n {
			job++
			if err := g.Took(t.Context(), "r", fmt.Sprint(job)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 40 { // a rule that has grown slowly to nine each window
		took(9)
		now = now.Add(10 * time.Minute)
	}
	took(17)
	if open, _, err := g.Open(t.Context(), "r"); err != nil || open != nil {
		t.Fatalf("twice the usual number: %+v, %v", open, err)
	}
	took(2)
	if open, _, err := g.Open(t.Context(), "r"); err != nil || open == nil {
		t.Fatalf("more than that: %+v, %v", open, err)
	}
	if err := g.Reset(t.Context(), "r", "ann", "checked"); err != nil {
		t.Fatal(err)
	}
	if open, _, err := g.Open(t.Context(), "r"); err != nil || open != nil {
		t.Errorf("after reset: %+v, %v", open, err)
	}
}

func TestSwitches(t *testing.T) {
	now := monday
	store := &Memory{}
	g, other := newGuard(t, store, func() time.Time { return now }), newGuard(t, store, func() time.Time { return now })
	undo := isolate(1, "Office")
	undo.Action, undo.Undo = "unisolate", true
	want := func(what string, a admission.Request, d admission.Decision, r Reason) {
		t.Helper()
		if v := other.Admit(t.Context(), a); v.Decision != d || v.Reason != r {
			t.Errorf("%s: %+v, want %s %s", what, v, d, r)
		}
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(g.Stop(t.Context(), Area{}, "ann", "looks wrong"))
	want("stopped", isolate(1, "Office"), admission.Hold, Stopped)
	want("stopped, undo", undo, admission.Hold, Stopped)
	do(g.Resume(t.Context(), Area{}, "ann", ""))
	want("resumed", isolate(1, "Office"), admission.Allow, "")
	do(g.SetDryRun(t.Context(), Area{}, true, "ann", "trial"))
	want("dry run", isolate(1, "Office"), admission.Shadow, DryRun)
	want("dry run: an undo is not lost", undo, admission.Hold, DryRun)
	want("dry run: what is denied is denied", isolate(1, "Domain Controllers"), admission.Deny, Protected)
	do(g.SetDryRun(t.Context(), Area{}, false, "ann", ""))
	for _, s := range []Silence{{ID: "a", Rule: "r"}, {ID: "a", Sensor: "1"}, {ID: "a", Action: "iso*"}} {
		s.Author, s.Comment, s.Expires = "ann", "noise", now.Add(time.Hour)
		do(g.AddSilence(t.Context(), s))
		want("silenced", isolate(1, "Office"), admission.Deny, Silenced)
		want("silenced, undo", undo, admission.Allow, "")
		elsewhere := isolate(2, "Office")
		elsewhere.Rule, elsewhere.Action = "x", "get_file"
		want("something else", elsewhere, admission.Allow, "")
	}
	now = now.Add(time.Hour)
	want("expired", isolate(1, "Office"), admission.Allow, "")
	for _, bad := range []Silence{{ID: "a", Author: "a", Comment: "c", Expires: now.Add(1)}, {ID: "a", Rule: "r", Expires: now.Add(1)}, {ID: "a", Rule: "r", Author: "a", Comment: "c", Expires: now}} {
		if err := g.AddSilence(t.Context(), bad); err == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
}

// TestStopIsSeenWithinASecond on a replica that only watches, and a replica that
// cannot see the switch stops by itself.
func TestStopIsSeenWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &flaky{Store: &Memory{}}
		g, other := newGuard(t, store, time.Now), newGuard(t, store, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var told []bool
		go func() {
			defer close(done)
			_ = other.Watch(ctx, func(stopped error) { told = append(told, stopped != nil) })
		}()
		synctest.Wait()
		if err := other.Stopped(Area{}); err != nil {
			t.Errorf("before: %v", err)
		}
		if err := g.Stop(t.Context(), Area{}, "ann", "now"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := other.Stopped(Area{}); !errors.Is(err, ErrStopped) {
			t.Errorf("a second later: %v", err)
		}
		if err := g.Resume(t.Context(), Area{}, "ann", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := other.Stopped(Area{}); err != nil {
			t.Errorf("after resume: %v", err)
		}
		store.broken.Store(true)
		time.Sleep(6 * time.Second)
		if err := other.Stopped(Area{}); !errors.Is(err, ErrStopped) {
			t.Errorf("with a store that cannot be read: %v", err)
		}
		if v := other.Admit(t.Context(), isolate(1, "Office")); v.Decision != admission.Hold || v.Reason != Undecided {
			t.Errorf("with a store that cannot be read: %+v", v)
		}
		cancel()
		<-done
		if want := []bool{false, true, false, true}; !slices.Equal(told, want) {
			t.Errorf("told of stops: %v, want %v", told, want)
		}
	})
}

func TestLoadFindsMistakes(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"action", "protected: [{name: a, sensors: 'true', deny: [isolat]}]", `there is no action "isolat"`},
		{"expression", `protected: [{name: a, sensors: 'sensor.grup == "x"', deny: "*"}]`, `no field "grup"`},
		{"not a condition", `protected: [{name: a, sensors: 'sensor.id', deny: "*"}]`, "true or false"},
		{"key", "protcted: []", `unknown key "protcted"`},
		{"missing", "protected: [{name: a, deny: '*'}]", `"sensors"`},
		{"budget", "budgets: [{name: a, actions: isolate, per: 1h}]", "either sensors or times"},
		{"name twice", "budgets: [{name: a, actions: isolate, per: 1h, times: 1}, {name: a, actions: isolate, per: 1h, times: 1}]", "is taken"},
		{"name", "budgets: [{name: 'a.b>', actions: isolate, per: 1h, times: 1}]", "cannot be the name"},
		{"hour", "hours: [{name: a, actions: isolate, from: '25:00', to: '08:00'}]", "time of day"},
		{"zone", "hours: [{name: a, actions: isolate, from: '07:00', to: '08:00', timezone: Mars/X}]", "not a time zone"},
		{"day", "hours: [{name: a, actions: isolate, from: '07:00', to: '08:00', days: monday}]", "not a day"},
		{"breaker", "breaker: {per: 1m}", "never opens"},
		{"pattern", "rules: [{path: 'a/[', allow: '*'}]", "not a pattern"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load("guards.yaml", []byte(c.text), known)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestExampleFileLoads(t *testing.T) {
	text, err := os.ReadFile("../../examples/guards.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(known, []Action{{"put_file", true}, {"create_process", true}, {"memory_dump", false}, {"ban_hash", true}})
	if _, err := Load("guards.yaml", text, all); err != nil {
		t.Error(err)
	}
}

// TestBudgetHoldsInEveryHour: a sensor isolated again counts from then on, so
// that no stretch of an hour sees more than the budget.
func TestBudgetHoldsInEveryHour(t *testing.T) {
	now := monday
	g := newGuard(t, nil, func() time.Time { return now })
	ask := func(sensor int, after time.Duration, want admission.Decision) {
		t.Helper()
		now = monday.Add(after)
		if v := g.Admit(t.Context(), isolate(sensor, "Office")); v.Decision != want {
			t.Errorf("sensor %d after %v: %+v, want %q", sensor, after, v, want)
		}
	}
	ask(1, 0, admission.Allow)
	ask(1, 59*time.Minute, admission.Allow)
	ask(2, 61*time.Minute, admission.Allow)
	ask(3, 62*time.Minute, admission.Allow)
	ask(4, 63*time.Minute, admission.Hold)
	ask(4, 119*time.Minute, admission.Allow)
}

func TestWords(t *testing.T) {
	want := []string{
		`domain-controllers: never isolate, kill_process where sensor.group == "Domain Controllers" || sensor.type == "domain_controller": the directory must stay up.`,
		"Rules in community/** may use get_file, list_*, isolate.",
		"Rules in trial/** may use any action, recorded only.",
		`servers: isolate needs the word of 2 of soc-leads where sensor.group == "Servers".`,
		"isolations: isolate at most 3 sensors within 1h, then hold.",
		"A rule with 3 failed jobs within 10m only records for 1h.",
		"A rule with more than 10 jobs within 10m only records for 1h.",
		"office: run only from 08:00 to 18:00, mon, tue, wed, thu, fri, Europe/Berlin.",
	}
	if got := load(t, guards).Words(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What people have yet to agree to is looked at and spends nothing; when the
// budget is used up by then, they are not asked in vain.
func TestPendingSpendsNothing(t *testing.T) {
	g := newGuard(t, &Memory{}, at(monday))
	pending := isolate(1, "Office")
	pending.Pending = true
	for i := range 100 {
		pending.Sensor.ID = strconv.Itoa(i + 1)
		if v := g.Admit(t.Context(), pending); v.Decision != admission.Allow {
			t.Fatalf("asked about sensor %d: %+v", i+1, v)
		}
	}
	var last admission.Verdict
	for i := 0; i < 100 && last.Decision == admission.Allow; i++ {
		last = g.Admit(t.Context(), isolate(1000+i, "Office"))
	}
	if last.Reason != Budget {
		t.Fatalf("the budget is never used up: %+v", last)
	}
	if v := g.Admit(t.Context(), pending); v.Reason != Budget {
		t.Errorf("asked with the budget used up: %+v", v)
	}
}

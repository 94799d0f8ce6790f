package run

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"edrpipe/pkg/actions"
	"edrpipe/pkg/admission"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/events"
	"edrpipe/pkg/jobs/job"
	"edrpipe/rules"
)

// chainsInCI is how many chains TestSameAsTests runs unless -rapid.checks says
// otherwise.
const chainsInCI = "2000"

// TestSameAsTests: a test of a rule shows what the service does. Random chains run both
// ways end the same, step by step.
func TestSameAsTests(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set(chainsInCI)
		defer func() { _ = f.Value.Set(f.DefValue) }()
	}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t)
		file := filepath.Join(dir, "r.yaml")
		if err := os.WriteFile(file, []byte(c.yaml()), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := rules.Load(file)
		if err != nil {
			t.Fatalf("%v\n%s", err, c.yaml())
		}
		shown := set.Source().Tests[0].Run(context.Background(), set)
		if len(shown.Problems) > 0 {
			t.Fatalf("%v\n%s", shown.Problems, c.yaml())
		}
		outcome, ended := c.serve(t, set.Rules()[0])
		if diff := gocmp.Diff(shown.Ended, ended); diff != "" || shown.Outcome != outcome {
			t.Fatalf("the test ends as %s, the service as %s (-test +service):\n%s\n%s", shown.Outcome, outcome, diff, c.yaml())
		}
	})
}

// randomChain is a chain and what its actions and people do.
type randomChain struct {
	steps, cleanup string
	mocks          []string
	fails          map[string][]string // errors of first tries, by step
	answers        map[string]string   // of people, by step
	n              int
}

func drawChain(t *rapid.T) *randomChain {
	c := &randomChain{fails: map[string][]string{}, answers: map[string]string{}}
	c.steps = c.draw(t, rapid.IntRange(1, 5).Draw(t, "steps"), -1)
	c.cleanup = c.draw(t, rapid.IntRange(0, 2).Draw(t, "cleanup"), -1)
	return c
}

// draw draws steps; before is how many there were before the block that they are in, or
// -1.
func (c *randomChain) draw(t *rapid.T, count, before int) string {
	var b strings.Builder
	inBlock := before >= 0
	for range count {
		begin := before
		if !inBlock {
			begin = c.n
		}
		c.n++
		id := fmt.Sprintf("s%d", c.n)
		var keys []string
		add := func(format string, args ...any) { keys = append(keys, fmt.Sprintf(format, args...)) }
		add("id: %s", id)
		earlier := fmt.Sprintf("s%d", rapid.IntRange(1, max(1, begin)).Draw(t, "earlier"))
		conditions := []string{"", "", "", "always()", "process.pid == 4", "process.pid == 5", `sensor.type == "server"`, `always() && sensor.type == "server"`}
		if begin > 0 {
			conditions = append(conditions, fmt.Sprintf("steps.%s.status == %q", earlier, rapid.SampledFrom([]string{"ok", "failed", "skipped"}).Draw(t, "status")))
		}
		if when := rapid.SampledFrom(conditions).Draw(t, "if"); when != "" {
			add("if: %q", when)
		}
		if rapid.Bool().Draw(t, "continue") {
			add("on_error: continue")
		}
		if !inBlock && rapid.IntRange(0, 3).Draw(t, "block") == 0 {
			add("parallel: [ %s ]", c.draw(t, rapid.IntRange(2, 3).Draw(t, "parts"), begin))
		} else {
			c.action(t, id, inBlock, add)
		}
		fmt.Fprintf(&b, "{ %s },\n", strings.Join(keys, ", "))
	}
	return b.String()
}

func (c *randomChain) action(t *rapid.T, id string, inBlock bool, add func(string, ...any)) {
	add("uses: %s", rapid.SampledFrom([]string{"test_look", "test_session", "test_change"}).Draw(t, "uses"))
	loop := !inBlock && rapid.IntRange(0, 4).Draw(t, "loop") == 0
	fail := ""
	switch rapid.IntRange(0, 9).Draw(t, "fate") {
	case 0, 1:
		fail = "gone"
	case 2:
		add(`with: { text: "${{ fromJSON('x' + process.user) }}" }`)
	case 3:
		if loop {
			break
		}
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"timeout", "sensor_busy", "server_error"}), 1, 3).Draw(t, "fails")
		c.fails[id] = names
		add("retry: { max: %d, backoff: 1ms, on: [timeout, sensor_busy] }", rapid.IntRange(1, 3).Draw(t, "max"))
	}
	var mock []string
	if fail != "" {
		mock = append(mock, "error: "+fail)
		c.fails[id] = []string{fail}
	} else if names := c.fails[id]; names != nil {
		mock = append(mock, "fails: ["+strings.Join(names, ", ")+"]")
	}
	if loop {
		add("foreach: %q", rapid.SampledFrom([]string{"[]", "[1]", "[1, 2, 3]"}).Draw(t, "items"))
	}
	if rapid.IntRange(0, 4).Draw(t, "approval") == 0 {
		otherwise := rapid.SampledFrom([]string{"allow", "deny"}).Draw(t, "otherwise")
		add("approval: { if: %q, within: 1h, otherwise: %s }", rapid.SampledFrom([]string{"process.pid == 4", "process.pid == 5", `sensor.type == "server"`}).Draw(t, "asked"), otherwise)
		c.answers[id] = rapid.SampledFrom([]string{"granted", "denied", "timeout", "waiting"}).Draw(t, "answer")
		mock = append(mock, "approval: "+c.answers[id])
		if c.answers[id] == "timeout" && otherwise == "allow" {
			c.answers[id] = "granted"
		}
	}
	if mock != nil {
		c.mocks = append(c.mocks, fmt.Sprintf("%s: { %s }", id, strings.Join(mock, ", ")))
	}
}

func (c *randomChain) yaml() string {
	return fmt.Sprintf(`rules:
  - id: random
    on: process_start
    when: process.name == "a.exe"
    steps: [
%s]
    on_failure: [
%s]
    tests:
      - name: same
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { path: 'c:\a.exe', pid: 4, user: u } } ]
        mocks: { %s }
        jobs: 1
`, c.steps, c.cleanup, strings.Join(c.mocks, ", "))
}

type failKey struct{}

// serve runs the chain as the service does and answers what it asks.
func (c *randomChain) serve(t *rapid.T, r *rules.Rule) (outcome string, ended []rules.Ended) {
	fates := &fates{fails: c.fails, tries: map[string]int{}}
	ctx := context.WithValue(t.Context(), failKey{}, fates)
	e := &events.Event{
		Event:   events.Meta{ID: "e", Type: "ingress.event.procstart", Kind: events.ProcessStart},
		Sensor:  events.Sensor{ID: "1", IDs: []string{"1"}},
		Process: events.Process{Path: `c:\a.exe`, Name: "a.exe", PID: 4, User: "u"},
	}
	store := &job.Memory{}
	j := &job.Job{ID: job.NewID(), Rule: r.ID, Endpoint: edr.Endpoint{Server: "edr", ID: "1"}, Mode: "enforce", Steps: r.Steps, OnFailure: r.OnFailure, Event: e, State: job.Running}
	if _, err := store.Create(ctx, []*job.Job{j}); err != nil {
		t.Fatal(err)
	}
	cfg := &Config{
		Step: time.Minute, Chain: time.Hour, Now: time.Now, Log: zerolog.Nop(),
		StepEnded: func(context.Context, string, job.StepRecord, func() *job.Job) {}, Progress: func(string, string) {},
	}
	for {
		fresh, err := store.Get(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		h := New(cfg, alone{}, store, fresh, func(error) {}).Chain(ctx)
		if fresh, err = store.Get(ctx, j.ID); err != nil {
			t.Fatal(err)
		}
		if h.To == job.Held && c.answer(fresh) {
			if err := store.Update(ctx, fresh); err != nil {
				t.Fatal(err)
			}
			continue
		}
		return map[job.State]string{
			job.Succeeded: "succeeded", job.Skipped: "skipped", job.Failed: "failed", job.Denied: "denied", job.Held: "held",
		}[h.To], endsOf(fresh)
	}
}

// answer answers the open questions about steps, and reports whether there was any.
func (c *randomChain) answer(j *job.Job) bool {
	answered := false
	for i := range j.Approvals {
		a := &j.Approvals[i]
		switch said := c.answers[a.Step]; {
		case a.Closed, a.Step == "", said == "waiting":
			continue
		case said == "granted":
			a.Granted = true
		case said == "denied":
			a.Answers = []admission.Answer{{By: "ann"}}
		}
		a.Closed, answered = true, true
	}
	return answered
}

func endsOf(j *job.Job) []rules.Ended {
	var all []rules.Ended
	for _, r := range j.Done {
		if r.State.Ended() {
			reason := string(r.Reason)
			if r.Reason == job.ReasonTimeout { // of a try: a step that failed
				reason = string(job.ReasonStep)
			}
			all = append(all, rules.Ended{Step: r.ID, Item: r.Item, Status: string(r.State), Reason: reason})
		}
	}
	slices.SortFunc(all, func(a, b rules.Ended) int { return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Item, b.Item)) })
	return all
}

// fates is how actions end in a run of the service.
type fates struct {
	mu    sync.Mutex
	fails map[string][]string
	tries map[string]int
}

func (f *fates) of(step string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.tries[step]
	f.tries[step]++
	names := f.fails[step]
	switch {
	case len(names) == 1 && names[0] == "gone":
		return errors.New("gone")
	case n >= len(names):
		return nil
	}
	return map[string]error{"timeout": edr.ErrTimeout, "sensor_busy": edr.ErrSessionBusy, "server_error": edr.ErrServer}[names[n]]
}

type testParams struct {
	Text string `json:"text" doc:"any"`
}

type testOutput struct {
	Text string `json:"text"`
}

func testAction(name string, class actions.Class, session, destructive bool) actions.Action {
	return actions.Register(actions.Definition[testParams, testOutput]{
		Is: actions.Spec{Name: name, Summary: "for tests", Class: class, Session: session, Destructive: destructive},
		Do: func(ctx context.Context, t *actions.Task, _ testParams) (testOutput, error) {
			return testOutput{}, ctx.Value(failKey{}).(*fates).of(t.Job.Step)
		},
		Already: func(context.Context, *actions.Task, testParams) (bool, testOutput, error) {
			return false, testOutput{}, nil
		},
	})
}

var (
	_ = testAction("test_look", actions.Repeatable, false, false)
	_ = testAction("test_session", actions.Repeatable, true, false)
	_ = testAction("test_change", actions.Checkable, true, true)
)

// alone is a place that is held for good and has no session.
type alone struct{}

func (alone) GiveWay(string) (string, bool)             { return "", false }
func (alone) Open(context.Context) (edr.Session, error) { return nil, ErrNoSlot }
func (alone) Session() edr.Session                      { return nil }
func (alone) Close(context.Context) error               { return nil }
func (alone) Info() (edr.Sensor, time.Time)             { return edr.Sensor{ID: "1"}, time.Now() }
func (alone) Valid() error                              { return nil }
func (alone) Lose()                                     {}
func (alone) Stopping() bool                            { return false }
func (alone) Parting(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, most)
}

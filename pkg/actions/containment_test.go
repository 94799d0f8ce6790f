package actions

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"edrpipe/pkg/edr"
)

// memoryLedger is a Ledger of one process.
type memoryLedger struct {
	mu   sync.Mutex
	kept map[string]Containment
	fail error
}

func (l *memoryLedger) Update(_ context.Context, key string, change func(*Containment) error) (Containment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return Containment{}, l.fail
	}
	c := l.kept[key]
	c.Key, c.Reasons = key, slices.Clone(c.Reasons)
	if err := change(&c); err != nil {
		return c, err
	}
	l.kept[key] = c
	return c, nil
}

const sample = "d41d8cd98f00b204e9800998ecf8427e"

// contained tells of both kinds of containment how a test does and sees them.
var containments = []struct {
	do, undo string
	with     map[string]any
	hands    func(e *endpoint, on bool) // a person at the EDR's console
	is       func(e *endpoint) bool
	out      func(out any) (changed bool, kept []string)
}{
	{
		"isolate", "unisolate", map[string]any{"wait": "1m"},
		func(e *endpoint, on bool) {
			e.sensor.Isolation = map[bool]edr.Isolation{true: edr.Isolated, false: edr.NotIsolated}[on]
		},
		func(e *endpoint) bool { return e.sensor.Isolation == edr.Isolated },
		func(out any) (bool, []string) { o := out.(IsolateOutput); return o.Changed, o.Kept },
	},
	{
		"ban_hash", "unban_hash", map[string]any{"md5": sample},
		func(e *endpoint, on bool) { e.banned = map[string]bool{sample: on} },
		func(e *endpoint) bool { return e.banned[sample] },
		func(out any) (bool, []string) { o := out.(BanHashOutput); return o.Changed, o.Kept },
	},
}

// TestContainmentEndsWithItsLastReason plays what several want of one endpoint or
// hash. Steps: +x the rule's job x contains, -x its undo, P+ P- a person's job, H+
// H- hands at the EDR's console, R- a rule's own release step.
func TestContainmentEndsWithItsLastReason(t *testing.T) {
	for _, c := range containments {
		for _, play := range []struct {
			name    string
			steps   []string
			changed []bool // of each step that is a job's
			is      bool   // in the end
		}{
			{"alone", []string{"+a", "-a"}, []bool{true, true}, false},
			{"two rules, the second goes on", []string{"+a", "+b", "-a"}, []bool{true, false, false}, true},
			{"two rules, both end", []string{"+a", "+b", "-a", "-b"}, []bool{true, false, false, true}, false},
			{"in the other order", []string{"+a", "+b", "-b", "-a"}, []bool{true, false, false, true}, false},
			{"a person before the rule", []string{"P+", "+a", "-a"}, []bool{true, false, false}, true},
			{"a person ends it all", []string{"+a", "+b", "P-", "-a", "-b"}, []bool{true, false, true, false, false}, false},
			{"found so", []string{"H+", "+a", "-a"}, []bool{false, false}, true},
			{"found so, undone twice", []string{"H+", "+a", "-a", "-a"}, []bool{false, false, false}, true},
			{"found so, and a person ends it", []string{"H+", "+a", "P-", "-a"}, []bool{false, true, false}, false},
			{"released at the console", []string{"+a", "H-", "-a"}, []bool{true, false}, false},
			{"done twice by one job", []string{"+a", "+a", "-a"}, []bool{true, true, true}, false},
			{"undone twice", []string{"+a", "-a", "-a"}, []bool{true, true, false}, false},
			{"again later", []string{"+a", "-a", "+b", "-b"}, []bool{true, true, true, true}, false},
			{"undo of a job before the ledger", []string{"H+", "-a"}, []bool{true}, false},
			{"a rule releases what another wants", []string{"+a", "R-"}, []bool{true, false}, true},
		} {
			t.Run(c.do+"/"+play.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					e := newEndpoint(edr.Windows)
					ledger := &memoryLedger{kept: map[string]Containment{}}
					var changed []bool
					for _, step := range play.steps {
						if step[0] == 'H' {
							c.hands(e, step[1] == '+')
							continue
						}
						e.follows = 2
						task, uses := e.task(), c.do
						task.Ledger = ledger
						task.Job = JobRef{ID: "job-" + step[1:], Rule: "rule-" + step[1:], Step: "s"}
						if step[0] == 'P' {
							task.Job, task.By = JobRef{ID: "job-of-ann", Step: "s"}, "ann"
						}
						if step[0] == '-' {
							task.Undoes = &Undone{Job: "job-" + step[1:], Step: "s"}
							task.Job.ID, task.Job.Step = "undo-of-"+task.Job.ID, "undo"
						}
						if step[len(step)-1] == '-' || step[0] == '-' {
							uses = c.undo
						}
						out, err := run(t, task, uses, maps.Clone(c.with))
						if err != nil {
							t.Fatalf("%s: %v", step, err)
						}
						did, kept := c.out(out)
						changed = append(changed, did)
						if uses == c.undo && !did && c.is(e) && len(kept) == 0 {
							t.Errorf("%s: nothing was released, and nobody is named who wants it", step)
						}
					}
					if !slices.Equal(changed, play.changed) || c.is(e) != play.is {
						t.Errorf("changed %v, want %v; in force %t, want %t", changed, play.changed, c.is(e), play.is)
					}
				})
			})
		}
	}
}

// TestNothingIsContainedThatCannotBeRecorded: else an undo would not know of it.
func TestNothingIsContainedThatCannotBeRecorded(t *testing.T) {
	for _, c := range containments {
		e := newEndpoint(edr.Windows)
		task := e.task()
		task.Ledger = &memoryLedger{fail: errors.New("bus is down")}
		if _, err := run(t, task, c.do, c.with); err == nil || c.is(e) {
			t.Errorf("%s: error %v", c.do, err)
		}
		c.hands(e, true)
		if _, err := run(t, task, c.undo, c.with); err == nil || !c.is(e) {
			t.Errorf("%s: error %v", c.undo, err)
		}
	}
}

package examples

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"edrpipe/pkg/actions"
	"edrpipe/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func load(t *testing.T) *rules.Set {
	t.Helper()
	set, err := rules.Load("rules")
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestRules runs the tests of every rule. Together they show every comparison
// true and false and every step running, and of each rule that it acts and that
// it leaves alone.
func TestRules(t *testing.T) {
	set := load(t)
	if err := set.CheckTests(set.Source().Tests, true).Err(); err != nil {
		t.Error(err)
	}
	for _, warning := range set.Source().Warnings {
		t.Errorf("the examples are in order, without a warning: %v", warning)
	}
	coverage := rules.NewCoverage(set)
	acts, leaves := map[string]bool{}, map[string]bool{}
	for _, test := range set.Source().Tests {
		t.Run(test.Rule+"/"+test.Name, func(t *testing.T) {
			result := test.Run(t.Context(), set)
			coverage.Add(result)
			if result.Jobs == 0 {
				leaves[test.Rule] = true
			} else {
				acts[test.Rule] = true
			}
			if !result.Passed() {
				t.Errorf("%s\n%v", strings.Join(result.Failures, "\n"), result.Problems)
			}
		})
	}
	for _, r := range set.Rules() {
		if !acts[r.ID] || !leaves[r.ID] {
			t.Errorf("%s: a test in which it acts: %v, one in which it does not: %v; want both", r.ID, acts[r.ID], leaves[r.ID])
		}
	}
	if got := coverage.Percent(); got < 100 {
		t.Errorf("the tests cover %.1f %%:\n%s", got, coverage.Gaps())
	}
}

// TestActionsAreShown: there is an example of everything that rules can do, and
// the files that examples put on endpoints are there.
func TestActionsAreShown(t *testing.T) {
	shown := map[string]bool{}
	for _, r := range load(t).Rules() {
		for _, s := range flat(slices.Concat(r.Steps, r.OnFailure)) {
			shown[s.Uses] = true
			if s.Uses != "run" && s.Uses != "put_file" {
				continue
			}
			if _, err := fs.Stat(Scripts, filepath.Join("scripts", s.With["file"].(string))); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		}
	}
	for _, a := range actions.All() {
		if name := a.Spec().Name; !shown[name] {
			t.Errorf("no example uses %s", name)
		}
	}
}

// flat lists steps with those inside parallel.
func flat(steps []actions.Step) []actions.Step {
	var all []actions.Step
	for _, s := range steps {
		all = append(all, s)
		all = append(all, flat(s.Parallel)...)
	}
	return all
}

// TestIsolationHasAWayBack: what isolates on its own either ends by itself, asks
// people where servers are concerned, leaves them out, or does what an analyst
// has asked for by a watchlist's name.
func TestIsolationHasAWayBack(t *testing.T) {
	for _, r := range load(t).Rules() {
		for _, s := range flat(slices.Concat(r.Steps, r.OnFailure)) {
			asked := strings.HasPrefix(r.ID, "watchlist-")
			if s.Uses == "isolate" && !asked && s.UndoAfter == 0 && s.Approval == nil && !strings.Contains(s.If, "sensor.type") {
				t.Errorf("%s: step %s isolates whatever it is, for ever, and asks nobody", r.ID, s.ID)
			}
		}
	}
}

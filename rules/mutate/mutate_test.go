package mutate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"edrpipe/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestChangesOfExpressions(t *testing.T) {
	for _, c := range []struct {
		source string
		want   []string // the first form of each change
	}{
		{`a == "x"`, []string{`a != "x"`, `a == "x~"`}},
		{`a < 3`, []string{`a >= 3`, `a <= 3`, `a < 4`}},
		{`a && b`, []string{"a\n|| b", `b`, `a`}},
		{`!a`, []string{`a`}},
		{`a in ["x", "y"]`, []string{`not (a in ["x", "y"])`, `a in ["y"]`, `a in ["x"]`}},
		{`icontains(a, "x")`, []string{`not icontains(a, "x")`, `icontains(a, "x~")`}},
		{`a ? 1 : 2`, []string{`a ? 2 : 1`, `a ? 2 : 2`, `a ? 1 : 3`}},
		{`a > duration("15m")`, []string{`a <= duration("15m")`, `a >= duration("15m")`, `a > duration("915m")`}},
		{`a == true`, []string{`a != true`, `a == false`}},
		{`cidr(a, "10.0.0.0/8")`, []string{`not cidr(a, "10.0.0.0/8")`, `cidr(a, "192.0.2.0/8")`}},
		{`(a || b) && c`, []string{"a\n|| b\n|| c", `c`, "a\n|| b", "a\n&& b\n&& c", "b\n&& c", "a\n&& c"}},
	} {
		var got []string
		_, changes := changesOf(c.source)
		for _, ch := range changes {
			got = append(got, ch.forms[0])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: changes (-want +got):\n%s", c.source, diff)
		}
	}
}

const rule = `rules:
  - id: first
    on: [process_start, process_end]
    when: process.name == "a.exe" && process.pid >= 4
    suppress: { key: [sensor.id, process.pid], for: 1h, count: 2 }
    steps:
      - id: list
        uses: list_processes
        on_error: continue
      - uses: publish
        with: { subject: x, body: { a: 1 } }
        if: sensor.os == "linux"
        approval: { from: [a], within: 1h }
    tests:
      - name: it acts
        endpoint: { os: linux }
        events: [ { type: ingress.event.procstart, sensor: { id: 1 }, process: { name: a.exe, pid: 5 } } ]
        expect: [ { run: list }, { run: publish } ]
`

func TestMutantsOfRules(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	written, err := readRules(file)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range mutantsOf(written["first"]) {
		got = append(got, m.where+": "+m.what)
		if len(m.forms) == 0 || render(m.base) == render(m.forms[0]) {
			t.Errorf("%s: %s changes nothing", m.where, m.what)
		}
	}
	for _, want := range []string{
		`when: && is || in process.name == "a.exe" && process.pid >= 4`,
		"when: >= is > in process.pid >= 4",
		"on[0]: without process_start",
		"suppress: without suppress",
		"suppress.key[1]: without process.pid",
		"suppress.for: 2h0m0s instead of 1h", "suppress.for: 30m0s instead of 1h",
		"suppress.count: 3 instead of 2", "suppress.count: 1 instead of 2",
		"steps[0]: without the step list", "steps[0]: list after publish", "steps[0]: without on_error",
		"steps[1]: without if", "steps[1].if: negated", "steps[1]: without approval",
		`steps[1].with.subject: another text than "x"`, "steps[1].with.body.a: 2 instead of 1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("there is no mutant %q among\n%s", want, strings.Join(got, "\n"))
		}
	}
	if before, after := render(written["first"]), rule[:strings.Index(rule, "    tests:")]; strings.Fields(before)[1] != strings.Fields(after)[1] {
		t.Errorf("the rule itself has changed:\n%s", before)
	}
}

func TestRunShowsWhatIsNotNoticed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Run(t.Context(), set, set.Source().Tests, func(*rules.Rule) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	r := report.Rules[0]
	if r.Mutants != r.Noticed+len(r.Survivors) || r.Noticed == 0 || report.Score() != 100*float64(r.Noticed)/float64(r.Mutants) {
		t.Errorf("the numbers do not fit: %+v, score %v", r, report.Score())
	}
	survived := map[string]string{}
	for _, s := range r.Survivors {
		survived[s.Where+": "+s.What] = s.Diff
	}
	if d := survived["when: 5 instead of 4"]; !strings.Contains(d, "-      && process.pid >= 4\n+      && process.pid >= 5\n") {
		t.Errorf("the difference is\n%s", d)
	}
	for _, noticed := range []string{`when: == is != in process.name == "a.exe"`, "steps[0]: list after publish", "steps[0]: without the step list", "steps[1].if: negated"} {
		if _, there := survived[noticed]; there {
			t.Errorf("%s was not noticed", noticed)
		}
	}
}

func TestTestsMustPass(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(rule, "{ run: list }, ", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := rules.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), set, set.Source().Tests, func(*rules.Rule) bool { return true }); err == nil || !strings.Contains(err.Error(), "first/it acts fails") {
		t.Errorf("err = %v, want the test that fails", err)
	}
}

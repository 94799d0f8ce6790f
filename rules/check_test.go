package rules

import (
	"path/filepath"
	"slices"
	"testing"
)

// Mistakes in one place hide none in another: rules, tests beside them, files of
// tests, paths that are not there.
func TestCheckTellsEverything(t *testing.T) {
	const good, bad = `
  - id: good
    on: process_start
    when: process.name == "x"
    steps: [ { uses: list_processes } ]
    tests: [ { name: t, events: [ { type: ingress.event.procstart, sensr: { id: 1 } } ], expect: [] } ]
`, `
  - { id: bad, on: process_start, when: process.nam == "x", steps: [ { uses: list_processes } ] }
`
	for name, c := range map[string]struct {
		rules   string
		missing bool
		want    []string
	}{
		"rules that load":   {"rules:" + good, false, []string{`an event has no "sensr" here`, `there is no rule "god"`, `unknown key "evnts" in item 1 of "tests"`}},
		"rules that do not": {"rules:" + good + bad, false, []string{`an event has no "sensr" here`, `process has no field "nam"`, `there is no rule "god"`, `unknown key "evnts" in item 1 of "tests"`}},
		"a path too many":   {"rules:" + bad, true, []string{"no such file or directory", `process has no field "nam"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			paths := []string{dir}
			put(t, filepath.Join(dir, "a.yaml"), c.rules)
			if c.missing {
				paths = append(paths, filepath.Join(dir, "nothing"))
			} else {
				put(t, filepath.Join(dir, "a_test.yaml"), "tests:\n  - { name: x, rule: god, evnts: [] }\n")
			}
			var got []string
			for _, p := range Check(false, paths...).Problems {
				if !p.Warning {
					got = append(got, p.Message)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

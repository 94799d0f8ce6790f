package kinds

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/golden"
	"edrpipe/pkg/actions"
	"edrpipe/pkg/edr"
)

// TestPowersAreDocumented makes the table of actions and kinds in the page of Carbon
// Black Cloud from the powers that the kinds declare.
func TestPowersAreDocumented(t *testing.T) {
	t.Parallel()
	const page, start, end = "../../docs/carbon-black-cloud.md", "<!-- powers -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), start)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("the page has no place for the table")
	}
	golden.Check(t, page, before+start+powersTable()+end+after)
}

func powersTable() string {
	var b strings.Builder
	names := Names()
	slices.Reverse(names) // the product of most readers first
	fmt.Fprintf(&b, "| action | needs | %s |\n| --- | --- |%s\n", strings.Join(names, " | "), strings.Repeat(" --- |", len(names)))
	for _, a := range actions.All() {
		spec := a.Spec()
		if len(spec.Powers) == 0 {
			continue
		}
		var needs []string
		for _, p := range spec.Powers {
			needs = append(needs, string(p))
		}
		fmt.Fprintf(&b, "| `%s` | %s |", spec.Name, strings.Join(needs, ", "))
		for _, kind := range names {
			fmt.Fprintf(&b, " %s |", map[bool]string{true: "yes", false: "no"}[hasAll(PowersOf(kind), spec.Powers)])
		}
		b.WriteString("\n")
	}
	return b.String()
}

func hasAll(has, wanted []edr.Power) bool {
	return !slices.ContainsFunc(wanted, func(p edr.Power) bool { return !slices.Contains(has, p) })
}

func TestPowersOf(t *testing.T) {
	t.Parallel()
	for kind, missing := range map[string][]edr.Power{
		"carbonblack-edr":   {edr.PowerNote},
		"carbonblack-cloud": {edr.PowerArchive, edr.PowerBinaries},
	} {
		has := PowersOf(kind)
		for _, p := range []edr.Power{
			edr.PowerIsolate, edr.PowerBan, edr.PowerClose, edr.PowerNote, edr.PowerBinaries, edr.PowerFiles, edr.PowerProcesses,
			edr.PowerRun, edr.PowerRegistry, edr.PowerMemory, edr.PowerArchive,
		} {
			if slices.Contains(has, p) == slices.Contains(missing, p) {
				t.Errorf("%s has %q: %v", kind, p, slices.Contains(has, p))
			}
		}
	}
	if PowersOf("unknown") != nil {
		t.Error("an unknown kind has powers")
	}
}

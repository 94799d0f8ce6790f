package examples

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"edrpipe/rules"
	"edrpipe/rules/mutate"
)

// leastScore is the part of the changes of our rules that their tests must notice,
// in percent.
const leastScore = 90

var survivorRow = regexp.MustCompile("(?m)^\\| ([a-z-]+) \\| `(.*)` \\| .+ \\|$")

// TestMutationScore: the tests of our rules notice what happens to them, and the
// page lists the changes that they do not notice.
func TestMutationScore(t *testing.T) {
	set := load(t)
	apart, err := set.LoadTests("rules")
	if err != nil {
		t.Fatal(err)
	}
	tests := slices.Concat(set.Source().Tests, apart)
	report, err := mutate.Run(t.Context(), set, tests, func(*rules.Rule) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Score(); got < leastScore {
		t.Errorf("the score is %.1f %%, want %d %% or more", got, leastScore)
	}
	page, err := os.ReadFile("../docs/write-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, survived []string
	for _, row := range survivorRow.FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, row[1]+": "+strings.ReplaceAll(row[2], `\|`, "|"))
	}
	for _, r := range report.Rules {
		for _, s := range r.Survivors {
			survived = append(survived, r.ID+": "+s.Where+": "+s.What)
		}
	}
	for _, s := range survived {
		if !slices.Contains(listed, s) {
			t.Errorf("docs/write-rules.md does not list %s", s)
		}
	}
	for _, s := range listed {
		if !slices.Contains(survived, s) {
			t.Errorf("docs/write-rules.md lists %s, which does not survive", s)
		}
	}
}

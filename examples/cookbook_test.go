package examples

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"edrpipe/internal/golden"
	"edrpipe/rules"
)

const cookbook = "../docs/cookbook.md"

var included = regexp.MustCompile(`(?s)<!-- rule: ([a-z0-9-]+) -->.*?<!-- /rule -->`)

// TestCookbook: the page shows each rule as it is in its file, and leaves none out.
func TestCookbook(t *testing.T) {
	page, err := os.ReadFile(cookbook)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	set := load(t)
	want := included.ReplaceAllStringFunc(string(page), func(old string) string {
		id := included.FindStringSubmatch(old)[1]
		r, ok := set.Rule(id)
		if !ok {
			t.Errorf("there is no rule %q", id)
			return old
		}
		shown[id] = true
		return fmt.Sprintf("<!-- rule: %s -->\n%s<!-- /rule -->", id, shownRule(t, r.Rule))
	})
	for _, r := range set.Rules() {
		if !shown[r.ID] {
			t.Errorf("%s is not in the cookbook", r.ID)
		}
	}
	golden.Check(t, cookbook, want)
}

// shownRule is a rule as the page shows it: its file, its text without the tests,
// and what else may look like it.
func shownRule(t *testing.T, r *rules.Rule) string {
	t.Helper()
	text, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[`examples/%s`](../examples/%s)\n\n```yaml\n", r.File, r.File)
	for i, line := range strings.Split(string(text), "\n")[r.Line-1:] {
		if strings.HasPrefix(line, "    tests:") || i > 0 && strings.HasPrefix(line, "  - ") {
			break
		}
		b.WriteString(strings.TrimRight(strings.TrimPrefix(line, "  "), " ") + "\n")
	}
	b.WriteString("```\n")
	if len(r.FalsePositives) > 0 {
		b.WriteString("\nFalse positives: " + strings.Join(r.FalsePositives, ". ") + ".\n")
	}
	return b.String()
}

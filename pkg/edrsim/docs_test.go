package edrsim_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"edrpipe/internal/golden"
	"edrpipe/pkg/edrsim"
)

// TestDocumentation holds the tables of docs/simulator.md to the code.
func TestDocumentation(t *testing.T) {
	const page = "../../docs/simulator.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := replacePart(t, string(b), "quirks", quirkTable(edrsim.AllQuirks()))
	text = replacePart(t, text, "cloud quirks", quirkTable(edrsim.CloudQuirks()))
	text = replacePart(t, text, "faults", faultTable())
	golden.Check(t, page, text)
}

// replacePart puts content between a page's marks.
func replacePart(t *testing.T, page, name, content string) string {
	t.Helper()
	start, end := "<!-- "+name+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(page, start)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("the page has no part %s", name)
	}
	return before + start + content + end + after
}

func quirkTable(quirks []edrsim.Quirk) string {
	var b strings.Builder
	b.WriteString("| quirk | values | what it is |\n| --- | --- | --- |\n")
	for _, q := range quirks {
		doc := q.Doc
		var preset []string
		for _, v := range edrsim.Versions {
			if value, ok := q.ByVersion[v]; ok {
				preset = append(preset, v+": `"+value+"`")
			}
		}
		if len(preset) > 0 {
			doc += " Versions " + strings.Join(preset, ", ") + "."
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", q.Name, strings.Join(q.Values, "` `"), doc)
	}
	return b.String()
}

func faultTable() string {
	var b strings.Builder
	b.WriteString("| fault | what happens |\n| --- | --- |\n")
	for _, f := range edrsim.AllFaults() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.Name, f.Doc)
	}
	return b.String()
}

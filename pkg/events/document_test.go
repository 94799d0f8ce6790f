package events

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/golden"
)

const document = "../../docs/events.md"

// TestDocument holds docs/events.md to the code: every type, reason and flaw.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?s)(<!-- types: .*? -->\n).*?(<!-- /types -->)`)
	if !list.Match(text) {
		t.Fatalf("%s has no place for the types", document)
	}
	golden.Check(t, document, string(list.ReplaceAll(text, []byte("${1}"+typesTable()+"${2}"))))
	for _, name := range named(t, "reject.go") {
		if !strings.Contains(string(text), "| `"+name+"` |") {
			t.Errorf("%s does not tell of %s", document, name)
		}
	}
}

func typesTable() string {
	byKind := map[Kind][]string{}
	for _, info := range Types() {
		byKind[info.Kind] = append(byKind[info.Kind], "`"+info.Name+"`")
	}
	var b strings.Builder
	b.WriteString("| kind | types |\n|---|---|\n")
	for _, kind := range Kinds {
		slices.Sort(byKind[kind])
		fmt.Fprintf(&b, "| `%s` | %s |\n", kind, strings.Join(byKind[kind], " "))
	}
	return b.String()
}

// named lists the values of the string constants of a file.
func named(t *testing.T, file string) []string {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`= "([a-z0-9_]+)"`).FindAllStringSubmatch(string(src), -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("%s names only %v", file, names)
	}
	return names
}

package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad: whatever a file holds, loading ends without a panic, with rules or
// with problems that lie in the file.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/mistakes/*.yaml", "testdata/good/*.yaml", "testdata/failing/*.yaml", "../examples/*/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &loader{lists: listsOf(t, "known-good", strings.Repeat("aa", 32)+"\n")}
		l.text("x.yaml", data)
		l.compile()
		l.together(noRules{})
		for _, p := range l.problems {
			_ = p.Text()
			if p.Line > 0 && p.Line > 1+countLines(data) {
				t.Errorf("%s: there are %d lines", p, countLines(data))
			}
		}
		if l.problems.Err() == nil && len(l.parsed) == 0 {
			t.Error("no rules and no problem")
		}
		if l.problems.Err() != nil {
			return
		}
		set := l.set(nil)
		for _, test := range set.Source().Tests {
			if len(test.Check(set)) == 0 {
				_ = test.Run(t.Context(), set)
			}
		}
	})
}

func countLines(data []byte) int {
	n := 1
	for _, b := range data {
		if b == '\n' || b == '\r' {
			n++
		}
	}
	return n
}

package rules

import (
	"edrpipe/rules/list"
	"os"
	"path/filepath"
	"testing"
)

// loadText loads a rule file written in the test.
func loadText(t testing.TB, text string) *Set {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// listsOf has one list, of the given text.
func listsOf(t testing.TB, name, text string) *Lists {
	t.Helper()
	found, problems := list.Parse(name+".txt", []byte(text))
	if found == nil {
		t.Fatal(problems)
	}
	lists := newLists()
	lists.byName[name], lists.files[name] = found, name+".txt"
	return lists
}

package rules

import (
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

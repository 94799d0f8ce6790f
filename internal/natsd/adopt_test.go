package natsd

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAdopt: streams of a version without accounts are the service's, once.
func TestAdopt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "jetstream", "$G", "streams", "AUDIT")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	now := filepath.Join(dir, "jetstream", "EDR", "streams", "AUDIT")
	for range 2 {
		if err := adopt(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(now); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(old, 0o700); err != nil { // an account of that name does not replace what there is
		t.Fatal(err)
	}
	if err := adopt(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err != nil {
		t.Error(err)
	}
	if err := adopt(filepath.Join(dir, "fresh")); err != nil {
		t.Error(err)
	}
}

package secretfiles

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestEachPartHasItsOwnSecretsOnly: what is in the directory of a part is what that part
// reads, of its user, and no token of an admin is left.
func TestEachPartHasItsOwnSecretsOnly(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	if _, err := Make(dir); err != nil {
		t.Fatal(err)
	}
	owners := map[string]int{}
	for name := range consumers {
		owners[name] = os.Getuid()
	}
	for range 2 { // the second changes nothing
		if err := Share(dir, to, owners); err != nil {
			t.Fatal(err)
		}
	}
	for name, files := range consumers {
		var there []string
		for file := range read(t, filepath.Join(to, name)) {
			there = append(there, file)
		}
		slices.Sort(there)
		if want := slices.Sorted(slices.Values(files)); !slices.Equal(there, want) {
			t.Errorf("%s has %v, want %v", name, there, want)
		}
		if fi, err := os.Stat(filepath.Join(to, name)); err != nil || fi.Mode().Perm() != 0o700 {
			t.Errorf("the directory of %s: %v, %v", name, fi.Mode(), err)
		}
		if name != "service" && slices.Contains(there, "state.key") {
			t.Errorf("%s has the key of the records", name)
		}
	}
	once := filepath.Join(to, OnceDir)
	first, err := TakeOnce(once, "admin")
	if err != nil || len(first) < 40 {
		t.Fatalf("the token of admin: %q, %v", first, err)
	}
	if _, err := TakeOnce(once, "admin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there a second time: %v", err)
	}
	if err := Share(dir, to, owners); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, once, filepath.Join(to, "service")} {
		if _, err := os.Stat(filepath.Join(at, "admin.token")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the token of admin is in %s after its first use: %v", at, err)
		}
	}
}

func TestShareRefusesAnUnknownPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Share(dir, t.TempDir(), map[string]int{"servcie": os.Getuid()}); !errors.Is(err, ErrConsumer) {
		t.Errorf("a misspelt part: %v, want ErrConsumer", err)
	}
	if err := Share(dir, t.TempDir(), map[string]int{"grafana": os.Getuid()}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a secret that was not made: %v", err)
	}
}

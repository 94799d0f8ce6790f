package secretfiles

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsThereStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	made, err := Make(dir, 0o600)
	if err != nil || len(made) != len(accounts)+len(others) {
		t.Fatalf("made %v: %v", made, err)
	}
	before := read(t, dir)
	if err := os.Remove(filepath.Join(dir, "reader.password")); err != nil {
		t.Fatal(err)
	}
	made, err = Make(dir, 0o600)
	if err != nil || len(made) != 1 || made[0] != "reader.password" {
		t.Fatalf("made %v: %v", made, err)
	}
	for name, text := range read(t, dir) {
		changed := text != before[name]
		if want := name == "reader.password" || name == "nats-passwords.conf"; changed != want {
			t.Errorf("%s changed: %v, want %v", name, changed, want)
		}
	}
}

// read returns the files of dir and checks that only their owner reads them.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if fi, err := e.Info(); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), fi.Mode(), err)
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

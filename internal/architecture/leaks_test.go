package architecture

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testsOf are the test files of each directory that has any.
func testsOf(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") {
			return err
		}
		text, err := os.ReadFile(path)
		dir := filepath.Dir(path)
		files[dir] = append(files[dir], text...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryPackageLooksForLeaks(t *testing.T) {
	for dir, text := range testsOf(t) {
		if !bytes.Contains(text, []byte("goleak.VerifyTestMain(")) && !bytes.Contains(text, []byte("goleak.Find(")) {
			t.Errorf("the tests in %s do not look for goroutines that were left behind: give them a TestMain with goleak", dir)
		}
	}
}

var fuzzTarget = regexp.MustCompile(`(?ms)^func (Fuzz\w+)\(.*?^}`)

// seeder is a call of something that is given the target to put seeds into.
var seeder = regexp.MustCompile(`\b[a-z]\w*\(f[,)]`)

func TestEveryFuzzTargetHasSeeds(t *testing.T) {
	found := 0
	for dir, text := range testsOf(t) {
		for _, target := range fuzzTarget.FindAllSubmatch(text, -1) {
			found++
			kept, _ := filepath.Glob(filepath.Join(dir, "testdata", "fuzz", string(target[1]), "*"))
			before, _, _ := bytes.Cut(target[0], []byte(".Fuzz("))
			if len(kept) == 0 && !bytes.Contains(before, []byte(".Add(")) && !seeder.Match(before) {
				t.Errorf("%s in %s begins with nothing: give it seeds", target[1], dir)
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d fuzz targets: does this test still recognise them?", found)
	}
}

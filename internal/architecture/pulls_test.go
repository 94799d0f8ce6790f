package architecture

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unboundedPull is a pull from the bus by a number of messages only: 500 of 1 MiB are more
// than a server keeps for a client before it cuts it off.
var unboundedPull = regexp.MustCompile(`[cC]onsumer\.(Messages\(\)|Fetch\(|FetchNoWait\()|\.PullMaxMessages\(|\bc\.Fetch\(`)

// TestPullsAreBoundedInBytes, but for those of headers only.
func TestPullsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found += strings.Count(string(text), "PullMaxBytes(") + strings.Count(string(text), "WithBytesLimit(")
		if pull := unboundedPull.Find(text); pull != nil && !strings.Contains(string(text), "HeadersOnly: true") {
			t.Errorf("%s pulls any number of bytes: %s", path, pull)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 5 {
		t.Errorf("%d bounded pulls were found: does the test look in the right place?", found)
	}
}

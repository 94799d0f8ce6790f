package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const report = `{"Action":"run","Package":"edrpipe/pkg/a","Test":"TestRan"}
{"Action":"output","Package":"edrpipe/pkg/a","Test":"TestRan","Output":"    a_test.go:3: fine\n"}
{"Action":"pass","Package":"edrpipe/pkg/a","Test":"TestRan"}
{"Action":"run","Package":"edrpipe/pkg/a","Test":"TestDisk/ext4"}
{"Action":"output","Package":"edrpipe/pkg/a","Test":"TestDisk/ext4","Output":"=== RUN   TestDisk/ext4\n"}
{"Action":"output","Package":"edrpipe/pkg/a","Test":"TestDisk/ext4","Output":"    a_test.go:9: cannot mount\n"}
{"Action":"output","Package":"edrpipe/pkg/a","Test":"TestDisk/ext4","Output":"--- SKIP: TestDisk/ext4 (0.00s)\n"}
{"Action":"skip","Package":"edrpipe/pkg/a","Test":"TestDisk/ext4"}
{"Action":"skip","Package":"edrpipe/pkg/b"}
`

func TestSkips(t *testing.T) {
	t.Parallel()
	const printed = "pkg/a.TestDisk/ext4: a_test.go:9: cannot mount\n1 tests skipped, "
	for name, c := range map[string]struct{ report, allowed, want, err string }{
		"allowed by its parent": {report, "pkg/a.TestDisk: needs root\n", "allowed: " + printed + "0 of them not allowed\n", ""},
		"allowed by a pattern":  {report, "# why\n\npkg/a.TestD*: needs root\n", "allowed: " + printed + "0 of them not allowed\n", ""},
		"not on the list":       {report, "pkg/a.TestDis: needs root\n", "NOT ALLOWED: " + printed + "1 of them not allowed\n", "1 skips are not in"},
		"of another package":    {report, "pkg/b.TestDisk: needs root\n", "NOT ALLOWED: " + printed + "1 of them not allowed\n", "1 skips are not in"},
		"a line without reason": {report, "pkg/a.TestDisk\n", "", "allowed.txt:1: \"pkg/a.TestDisk\" has no reason"},
		"half a report":         {report[:40], "", "", "not a report of go test -json"},
		"an empty report":       {"", "", "", "no test passed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := [2]string{filepath.Join(dir, "report.json"), filepath.Join(dir, "allowed.txt")}
			for i, text := range []string{c.report, c.allowed} {
				if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out strings.Builder
			err := run(files[0], files[1], &out)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
			if out.String() != c.want {
				t.Errorf("printed:\n%swant:\n%s", out.String(), c.want)
			}
		})
	}
}

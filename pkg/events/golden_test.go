package events

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edrpipe/internal/golden"
)

// TestFixtures decodes every fixture of testdata and compares with its golden
// file: events as JSON lines, rejects as comments.
func TestFixtures(t *testing.T) {
	for _, name := range testdataFiles(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			var out strings.Builder
			d := &Decoder{Now: func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }}
			for _, msg := range fixtureMessages(t, name) {
				for e, err := range d.Events(&msg) {
					if r := (*Reject)(nil); errors.As(err, &r) {
						out.WriteString("# " + r.Error() + "\n")
						continue
					}
					e.Raw = nil // the fixture again
					out.WriteString(marshalOnly(t, e) + "\n")
				}
			}
			golden.Check(t, name+".golden", out.String())
		})
	}
}

// TestScanOfFixtures: the scanner gives what the decoder gives, hostile input
// included.
func TestScanOfFixtures(t *testing.T) {
	d := &Decoder{LazyRaw: true, Now: func() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }}
	scanners := []*Scanner{newScanner(t, d, scannable()...)}
	for _, path := range scannable() {
		scanners = append(scanners, newScanner(t, d, path))
	}
	for _, name := range testdataFiles(t) {
		for _, msg := range fixtureMessages(t, name) {
			compareFull(t, d, scanners[0], &msg)
			for _, s := range scanners[1:] {
				compareScan(t, d, s, &msg)
			}
		}
	}
}

func testdataFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	var inputs []string
	for _, name := range all {
		if info, err := os.Stat(name); err == nil && !info.IsDir() && !strings.HasSuffix(name, ".golden") {
			inputs = append(inputs, name)
		}
	}
	return inputs
}

func fixtureMessages(t testing.TB, name string) []Message {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var msgs []Message
	for rec, err := range ReadRecording(f, FormatAuto) {
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, rec.Message)
	}
	return msgs
}

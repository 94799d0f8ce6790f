package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDemoOfBothKinds: one service answers the intrusion at both servers with the same
// rules, the alert is closed once, and what is shown fits 80 columns.
func TestDemoOfBothKinds(t *testing.T) {
	t.Setenv("COLUMNS", "") // the width where there is no terminal
	var out bytes.Buffer
	d := demonstration{out: &out, both: true, dir: t.TempDir(), within: 5 * time.Minute}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	text := out.String()
	for _, want := range []string{
		`\n +\d+\.\ds  done +job \w+ \(watchlist-isolate\) on cloud/FIN-WS-014\s+succeeded`,
		`\n +\d+\.\ds  done +job \w+ \(watchlist-isolate\) on demo/WS-CAROL\s+succeeded`,
		`\n +\d+\.\ds  done +job \w+ \(watchlist-liveresponse\) on cloud/WEB-01\s+succeeded`,
		`\n +\d+\.\ds  done +job \w+ \(watchlist-ban\) on cloud/FIN-WS-014\s+succeeded`,
		`\n +\d+\.\ds  done +job \w+ \(alert-stopped\) on cloud/HR-WS-003\s+succeeded`,
		`\n of them succeeded +8 +4\n`, `\n endpoints isolated +1 +1\n`, `\n hashes banned +1, by MD5 +1, by SHA-256\n`, `\n alerts noted, closed +0, 0 +1, 1\n`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("not shown: %s", want)
		}
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 && !strings.HasPrefix(line, "files in ") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

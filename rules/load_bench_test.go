package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// BenchmarkLoad is the time from files to a set that can match: a hundred files
// of rules with five conditions, variables and two steps.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			dir := b.TempDir()
			writeManyRules(b, dir, n)
			b.ReportAllocs()
			for b.Loop() {
				set, err := Load(dir)
				if err != nil {
					b.Fatal(err)
				}
				if set.Len() != n {
					b.Fatalf("%d rules, want %d", set.Len(), n)
				}
			}
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			b.ReportMetric(float64(memory.Sys)/1e6, "peak-MB") // all that was ever taken from the system
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N*n), "µs/rule")
		})
	}
}

func writeManyRules(tb testing.TB, dir string, n int) {
	tb.Helper()
	files := min(n, 100)
	for f := range files {
		var text strings.Builder
		text.WriteString("rules:\n")
		for i := f; i < n; i += files {
			fmt.Fprintf(&text, `  - id: rule-%d
    title: Something number %d
    severity: high
    tags: [attack.t1059.001]
    on: process_start
    when: >
      process.parent.name in ["winword.exe", "excel%d.exe"]
      && process.name == "shell%d.exe"
      && (icontains(process.command_line, " -enc%d ") || process.command_line matches "(?i)download%d")
    vars: { who: lower(process.user) }
    steps:
      - id: grab
        uses: get_file
        with: { path: "${{ process.path }}" }
      - uses: publish
        with: { subject: found, body: { host: "${{ sensor.hostname }}", by: "${{ vars.who }}", hash: "${{ steps.grab.output.artifact.sha256 }}" } }
`, i, i, i, i, i, i)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("r%d.yaml", f)), []byte(text.String()), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

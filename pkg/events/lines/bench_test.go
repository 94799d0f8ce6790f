package lines_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edrpipe/pkg/events"
	"edrpipe/pkg/events/lines"
)

// BenchmarkFile reads a file of 100,000 lines: bare, and with the source, which
// remembers its place.
func BenchmarkFile(b *testing.B) {
	const count = 100_000
	dir := b.TempDir()
	path := filepath.Join(dir, "events.json")
	write(b, path, strings.Repeat(`{"type":"ingress.event.netconn","pad":"`+strings.Repeat("x", 620)+"\"}\n", count))
	b.Run("read-only", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for sc := bufio.NewScanner(f); sc.Scan(); n++ {
			}
			f.Close()
			if n != count {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("source", func(b *testing.B) {
		for b.Loop() {
			place := filepath.Join(b.TempDir(), "place")
			n := 0
			f := &lines.File{Origin: origin, Path: path, Place: place}
			err := f.Read(b.Context(), func(_ context.Context, m events.Message) error { n++; m.Settle(nil); return nil })
			if err != nil || n != count {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "events/s")
	})
}

package progress_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"edrpipe/internal/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		b := progress.New(&out)
		line := func(want string) {
			t.Helper()
			if out.String() != want {
				t.Errorf("drawn %q, want %q", out.String(), want)
			}
			out.Reset()
			time.Sleep(100 * time.Millisecond)
		}
		b.End()
		line("") // nothing to wipe
		b.Count(1, 2, "records")
		b.Count(2, 2, "records") // too soon
		line("\r\x1b[K" + strings.Repeat("█", 15) + strings.Repeat("░", 15) + " 1 of 2 records")
		b.Count(0, 0, "records") // no division by zero
		line("\r\x1b[K" + strings.Repeat("░", 30) + " 0 of 0 records")
		b.Draw(1.5, "more than all")
		line("\r\x1b[K" + strings.Repeat("█", 30) + " more than all")
		b.Draw(-1, "name\x1b[2J\n"+strings.Repeat("ü", 200))
		if got := out.String(); strings.ContainsAny(got, "░█\n") || strings.Count(got, "\x1b") != 1 || strings.Count(got, "ü") < 70 || strings.Count(got, "ü") > 90 {
			t.Errorf("drawn %q, want a printable line of 90 characters without a bar", got)
		}
		out.Reset()
		b.End()
		line("\r\x1b[K")
	})
}

func TestSilent(t *testing.T) {
	t.Parallel()
	b := progress.New(nil)
	b.Draw(0.5, "text") // must not panic
	b.End()
}

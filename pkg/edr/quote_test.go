package edr_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"Windows path", `c:\temp\new.exe`, `"c:\temp\new.exe"`},
		{"share", `\\srv\c$\a b`, `"\\srv\c$\a b"`},
		{"other scripts", `c:\Users\Jürgen\文書`, `"c:\Users\Jürgen\文書"`},
		{"empty", "", `""`},
		{"line feed is no backslash n", "c:\\a\nb", `"c:\a<U+000A>b"`},
		{"escape sequence", "\x1b[2J", `"<U+001B>[2J"`},
		{"text that is turned around", "exe\u202etxt", `"exe<U+202E>txt"`},
		{"end of the quotes", `a" on sensor 9: done "`, `"a<U+0022> on sensor 9: done <U+0022>"`},
		{"not UTF-8", "a\xffb\xfe", `"a<0xFF>b<0xFE>"`},
		{"replacement character", "a\ufffd", "\"a\ufffd\""},
		{"written as a mark", "<U+000A><0xFF><b>", `"<U+003C>U+000A><U+003C>0xFF><b>"`},
	} {
		if got := edr.Quote(c.in); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestResultErrorShowsThePath as it is on the endpoint.
func TestResultErrorShowsThePath(t *testing.T) {
	t.Parallel()
	err := edr.NewResultError(edr.Where{Name: "get file", Object: `c:\temp\a.txt`, Sensor: "1"}, 0x80070003, "WinHresult", "", "path not found", fs.ErrNotExist)
	if want := `get file "c:\temp\a.txt" on sensor 1: path not found (0x80070003)`; err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s, want %s", err, want)
	}
}

// FuzzQuote: every text is on one line between its only two quotes, and different texts
// have different quotes.
func FuzzQuote(f *testing.F) {
	f.Add(`c:\a`, "c:\a")
	f.Add("<U+000A>", "\n")
	f.Add("\xff", "<0xFF>")
	f.Add("\xff", "\ufffd")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := edr.Quote(a), edr.Quote(b)
		if (a == b) != (x == y) {
			t.Errorf("%q and %q: %s and %s", a, b, x, y)
		}
		if strings.Count(x, `"`) != 2 || printable.Line(x) != x {
			t.Errorf("%q: %q", a, x)
		}
	})
}

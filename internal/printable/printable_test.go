package printable

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestTextStaysAsItWasWritten(t *testing.T) {
	for _, s := range []string{"Überprüfung", "検証", "проверка", "التحقق", "می\u200cخواهم", "क्षेत्र", "👩\u200d🚒", "a\u00a0b", "全角\u3000空白", `c:\users\Jürgen "x"`} {
		if Line(s) != s || Text(s) != s {
			t.Errorf("%q became %q", s, Line(s))
		}
	}
	if got := Text("a\tb\r\nc\n"); got != "a\tb\nc\n" {
		t.Errorf("lines became %q", got)
	}
}

func TestWhatMovesATerminalIsShown(t *testing.T) {
	for s, want := range map[string]string{
		"\x1b[2J":        `\u001b[2J`,
		"a\nb\tc\rd":     `a\u000ab\u0009c\u000dd`,
		"\u009b31m":      `\u009b31m`, // one character that begins a sequence
		"txt\u202egpj":   `txt\u202egpj`,
		"\u2066x\u2069":  `\u2066x\u2069`,
		"\u200fx\ufeffy": `\u200fx\ufeffy`,
		"\x7f\x07":       `\u007f\u0007`,
		"\u2028x":        `\u2028x`,
		"\U000e0041":     `\U000e0041`, // a tag: letters that nobody sees
		"a\x9bb":         "a\ufffdb",   // no UTF-8
	} {
		if got := Line(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}

// FuzzWriter: however its input is cut, the output is the same and holds nothing
// that a terminal obeys.
func FuzzWriter(f *testing.F) {
	f.Add("plain \x1b[31mred\x1b[0m \x1b[2J \u202e \u009b", uint8(3))
	f.Add("\x1b[3\x1b[31", uint8(1))
	f.Add("\xe6\xa4", uint8(1))
	f.Add("a\r\nb\r\r\n\r", uint8(1))
	f.Fuzz(func(t *testing.T, s string, size uint8) {
		for _, colored := range []bool{false, true} {
			var whole, cut strings.Builder
			w := &Writer{Out: &whole, Colors: colored}
			_, _ = w.Write([]byte(s))
			_ = w.Flush()
			w = &Writer{Out: &cut, Colors: colored}
			for rest := []byte(s); len(rest) > 0; {
				n := min(int(size)+1, len(rest))
				_, _ = w.Write(rest[:n])
				rest = rest[n:]
			}
			_ = w.Flush()
			if whole.String() != cut.String() {
				t.Fatalf("%q in pieces of %d: %q, whole: %q", s, size+1, cut.String(), whole.String())
			}
			left := cut.String()
			if colored {
				for _, c := range []string{"0", "1", "30", "31", "32", "33", "34", "35", "36", "37", "90", "91", "92", "93", "94", "95", "96", "97", ""} {
					left = strings.ReplaceAll(left, "\x1b["+c+"m", "")
				}
			}
			for _, r := range left {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
					t.Fatalf("%q: %U reaches the terminal in %q", s, r, cut.String())
				}
			}
		}
	})
}

func TestJSONStaysJSON(t *testing.T) {
	text, err := json.Marshal(map[string]string{"host": "a\u202eb\u009bc\x1b"})
	if err != nil {
		t.Fatal(err)
	}
	var shown, want map[string]string
	_ = json.Unmarshal(text, &want)
	if err := json.Unmarshal([]byte(Text(string(text))), &shown); err != nil || shown["host"] != want["host"] {
		t.Errorf("%s: %v", Text(string(text)), err)
	}
}

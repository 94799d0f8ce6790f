package index

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostile are the runes on which the ways of folding case disagree, and texts
// that are not UTF-8.
var hostile = []string{
	"\u212a", "k", "K", "ı", "İ", "i", "I", "ſ", "s", "S", "ς", "σ", "Σ", "ß", "ẞ", "å", "\u212b",
	"\u0345", "ǅ", "θ", "ϴ", "\u1c80", "ꙋ", "\xff", "\xc3", "\xe2\x84", "\u2028", "\x00", "\ufffd", "𐐀", "𐐨",
}

// Every way in which the language identifies two runes must be identified by
// the canonical form: over all runes, not a sample.
func TestCanonicalFormJoinsWhatAnyFoldJoins(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := canonicalRune(r)
		for name, other := range map[string]rune{
			"lower": unicode.ToLower(r), "upper": unicode.ToUpper(r),
			"title": unicode.ToTitle(r), "(?i)": unicode.SimpleFold(r),
		} {
			if got := canonicalRune(other); got != want {
				t.Errorf("%s(%U) = %U: canonical %U, want %U", name, r, other, got, want)
			}
		}
	}
}

// Eight bytes at once are lowered as each of them is.
func TestCanonicalFormOfEveryByte(t *testing.T) {
	const around = "AbZ@[`{z"
	for before := range around {
		for after := range around {
			for c := range utf8.RuneSelf {
				s := around[:before] + string(rune(c)) + around[:after] + "X"
				if got, want := canonical(s), strings.ToLower(s); got != want {
					t.Fatalf("canonical(%q) = %q, want %q", s, got, want)
				}
			}
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, a := range hostile {
		for _, b := range hostile {
			f.Add("x"+a+"y"+b, a)
		}
	}
	f.Fuzz(func(t *testing.T, s, sub string) {
		if !utf8.ValidString(sub) {
			return
		}
		c, lit := canonical(s), canonical(sub)
		for name, folded := range map[string]string{"lower": strings.ToLower(s), "upper": strings.ToUpper(s), "same": s} {
			if canonical(folded) != c {
				t.Fatalf("canonical(%s(%q)) = %q, want %q", name, s, canonical(folded), c)
			}
			for _, l := range []string{sub, strings.ToLower(sub), strings.ToUpper(sub)} {
				if strings.Contains(folded, l) && !strings.Contains(c, lit) {
					t.Fatalf("%s(%q) contains %q, but %q does not contain %q", name, s, l, c, lit)
				}
			}
		}
		if re, err := regexp.Compile("(?i)" + regexp.QuoteMeta(sub)); err == nil && re.MatchString(s) && !strings.Contains(c, lit) {
			t.Fatalf("(?i)%q matches %q, but %q does not contain %q", sub, s, c, lit)
		}
		if strings.EqualFold(s, sub) && c != lit {
			t.Fatalf("EqualFold(%q, %q), but canonical forms are %q and %q", s, sub, c, lit)
		}
	})
}

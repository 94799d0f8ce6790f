package events

import (
	"fmt"
	"strings"
	"testing"
)

// TestLexerAtEveryPlace puts what needs a closer look at every place of the words
// that the lexer reads, in keys and in values, and at the end of the text.
func TestLexerAtEveryPlace(t *testing.T) {
	for _, special := range []string{
		``, `\\`, `\"`, `\/`, `\b\f\n\r\t`, `\u0041`, `\u00e9`, `\u0000`, `\ud83d\ude00`, `\ud83d`, `\ud83d\u0041`, `\udead\ud83d`,
		"é", "\U0001F600", "\xff", "\xc3", "\x80", "\x9f", "\x7f", "\x00", "\x1f", "\t", `"`, `\`, `\x`, `\u12`, `\u123g`, "\\u00\x11\x11", `\u`,
	} {
		for before := range 20 {
			for after := range 10 {
				text := strings.Repeat("a", before) + special + strings.Repeat("b", after)
				checkLexer(t, `{"path":"`+text+`"}`)
				checkLexer(t, `{"path":"`+text+`","md5":"`+text+`","pid":1}`)
				checkLexer(t, `{"`+text+`":"x","path":"y"}`)
				checkLexer(t, `{"path":"`+text)
			}
		}
	}
}

func TestLexerOfNumbers(t *testing.T) {
	for _, number := range []string{
		"0", "-0", "7", "12345678", "123456789", "1234567890123456789012", "0.5", "-12.75", "1e5", "1E+12345678", "2.5e-3", "123456789.123456789e123456789",
		"", "-", "01", "00000000", "1.", ".5", "1e", "1e+", "1.e5", "+1", "0x10", "1234567x", "12345678x", "1_0", "--1", "1.2.3", "12345678\xff", "1234567/", "1234567:",
	} {
		checkLexer(t, number)
		checkLexer(t, number+" ")
		checkLexer(t, `{"pid":`+number+`,"path":"a long text to be in words"}`)
		checkLexer(t, `[`+number+`, `+number+"\n,"+number+`]`)
	}
}

// TestLexerFindsKnownKeys writes each key in several ways that mean the same, and
// in some that do not.
func TestLexerFindsKnownKeys(t *testing.T) {
	for _, name := range knownKeys.names {
		for _, key := range []string{
			name, fmt.Sprintf(`\u%04x%s`, name[0], name[1:]), name[:len(name)-1] + fmt.Sprintf(`\u%04x`, name[len(name)-1]),
			name + `\u0000`, `\u0000` + name, name + "_", name[1:], name[:len(name)-1], strings.ToUpper(name), name + "\x00", "\xff" + name,
		} {
			checkLexer(t, `{"`+key+`":1}`)
			checkLexer(t, `{"`+key+`":"a value that is long enough","`+name+`":null,"`+key+`":[]}`)
			checkLexer(t, "{ \""+key+"\"\t:\r\n{\""+name+`":{}}}`)
		}
	}
}

// TestHashIsHex compares the check of eight digits at once with that of each.
func TestHashIsHex(t *testing.T) {
	const sound = "0f0102030405060708090a0b0c0d0e0F"
	for at := range len(sound) {
		for c := range 256 {
			s := sound[:at] + string([]byte{byte(c)}) + sound[at+1:]
			want := ""
			if strings.Trim(s, "0123456789abcdefABCDEF") == "" {
				want = strings.ToLower(s)
			}
			if got := new(reading).hash(s); got != want {
				t.Fatalf("hash(%q) = %q, want %q", s, got, want)
			}
			if got := new(reading).hash(s + s); got != want+want {
				t.Fatalf("hash(%q) = %q, want %q", s+s, got, want+want)
			}
		}
	}
	for _, s := range []string{"", sound[1:], sound + "0", strings.Repeat("0", 32), strings.Repeat("0", 64), sound + strings.Repeat("0", 16)} {
		if got := new(reading).hash(s); got != "" {
			t.Errorf("hash(%q) = %q, want none", s, got)
		}
	}
}

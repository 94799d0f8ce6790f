package list

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"edrpipe/internal/golden"
)

func utf16Text(text string, order binary.AppendByteOrder) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// TestHas: what lists in all forms have and have not.
func TestHas(t *testing.T) {
	t.Parallel()
	const md5 = "0f0102030405060708090a0b0c0d0e0f"
	tests := []struct {
		name, file, text string
		kind             Kind
		has, hasNot      []string
	}{
		{"addresses with comments", "a.txt", "203.0.113.1\n203.0.113.2\t# seen by the desk\n198.51.100.64/27\n203.0.113.4 ; ticket\n", IP,
			[]string{"203.0.113.1", "203.0.113.2", "198.51.100.77", "203.0.113.4", "::ffff:203.0.113.1"}, []string{"203.0.113.3", "198.51.100.96", "", "x"}},
		{"IPv6 in any spelling", "a.txt", "2001:0DB8:0:0:0:0:0:7\n2001:db8:1::/48\n::ffff:10.0.0.0/104\n", IP,
			[]string{"2001:db8::7", "2001:db8:1::1", "10.1.2.3"}, []string{"2001:db8:2::1"}},
		{"defanged addresses", "a.txt", "203[.]0[.]113[.]9\n203.0.113(.)10\n", IP, []string{"203.0.113.9", "203.0.113.10"}, nil},
		{"hashes in capitals", "a.txt", strings.ToUpper(md5) + "\n" + strings.Repeat("ab", 32) + "\n", Hash, []string{md5, strings.ToUpper(md5), strings.Repeat("AB", 32)}, []string{"0f"}},
		{"domains with a star", "a.txt", "*.bad.example\nevil[.]example\nOther.Example.\n", Domain,
			[]string{"a.bad.example", "a.b.bad.example", "evil.example", "EVIL.example.", "other.example"}, []string{"bad.example", "notbad.example"}},
		{"a hosts file", "hosts.txt", "# ads\n0.0.0.0 ads.example\n127.0.0.1 localhost\n127.0.0.1\ttrack.example www.track.example\n", Domain,
			[]string{"ads.example", "www.track.example"}, []string{"localhost"}},
		{"paths", "a.txt", "C:\\Windows\\Temp\\A.exe\nc:\\b.exe\n", Path, []string{`c:\windows\temp\a.exe`, `C:\B.EXE`}, []string{`c:\c.exe`}},
		{"names", "a.txt", "CMD.EXE\nüber.exe\nFoo, Inc.\n", Text, []string{"cmd.exe", "Über.exe", "foo, inc."}, []string{"cmd"}},
		{"said to be text", "a.txt", "# type: text\n10.0.0.1\n", Text, []string{"10.0.0.1"}, []string{"10.0.0.2"}},
		{"a table", "a.csv", "# from a feed\nIndicator,Comment\n203.0.113.1,\"one, two\"\n203.0.113.0/30,net\n", IP, []string{"203.0.113.3"}, []string{"one, two"}},
		{"a table with a named column", "a.csv", "# column: dst\nsrc,dst\n10.0.0.1,10.0.0.2\n", IP, []string{"10.0.0.2"}, []string{"10.0.0.1"}},
		{"a table with one column", "a.csv", "whatever\nx\n", Text, []string{"x"}, []string{"whatever"}},
		{"allowed to be empty", "a.txt", "# empty: ok\n", Text, nil, []string{"x"}},
	}
	for _, tt := range tests {
		for encoding, data := range map[string][]byte{
			"UTF-8": []byte(tt.text), "UTF-8 with a mark": append([]byte("\xef\xbb\xbf"), tt.text...),
			"UTF-16 LE": utf16Text(tt.text, binary.LittleEndian), "UTF-16 BE": utf16Text(tt.text, binary.BigEndian),
			"lines of Windows": []byte(strings.ReplaceAll(tt.text, "\n", "\r\n")),
		} {
			l, problems := Parse(tt.file, data)
			if len(problems) > 0 {
				t.Errorf("%s, %s: %v", tt.name, encoding, problems)
				continue
			}
			if l.Kind != tt.kind {
				t.Errorf("%s, %s: kind %s, want %s", tt.name, encoding, l.Kind, tt.kind)
			}
			for _, value := range tt.has {
				if !l.Has(value) {
					t.Errorf("%s, %s: has not %q", tt.name, encoding, value)
				}
			}
			for _, value := range tt.hasNot {
				if l.Has(value) {
					t.Errorf("%s, %s: has %q", tt.name, encoding, value)
				}
			}
		}
	}
}

// TestRefused compares what the author of a list is told with a golden file.
func TestRefused(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i, tt := range []struct{ file, text string }{
		{"empty.txt", ""},
		{"comments-only.txt", "# nothing yet\n"},
		{"type.txt", "# type: adress\n10.0.0.1\n"},
		{"type.txt", "# type: hashes\n"},
		{"hash.txt", "0f0102030405060708090a0b0c0d0e0f\n0f0102030405060708090a0b0c0d0e0f\n0f0102030405060708090a0b0c0d0e\n"},
		{"hash.txt", "# type: hash\n0f0102030405060708090a0b0c0d0e0f00000000\nmd5:0f0102030405060708090a0b0c0d0e0f\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n10.0.0.256\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n  10.0.0.3:443  # port\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n10.0.0.3-10.0.0.9\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n10.0.1.*\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n10.0.0.1/8\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n0.0.0.0/0\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\nhxxp://203[.]0[.]113[.]9/x\n"},
		{"ip.txt", "10.0.0.1\n10.0.0.2\n10.0.0.3,10.0.0.4\n"},
		{"domain.txt", "*.a.example\n*.b.example\nhttps://c.example/x\n"},
		{"domain.txt", "# type: domain\na*.example\n"},
		{"domain.txt", "# type: domain\na b\n"},
		{"domain.txt", "# type: domain\n..\n"},
		{"path.txt", "c:\\a.exe\nc:\\b.exe\nc:\\temp\\*.exe\n"},
		{"path.txt", "c:\\a.exe\nc:\\b.exe\n%TEMP%\\c.exe\n"},
		{"path.txt", "c:\\a.exe\nc:\\b.exe\nc.exe\n"},
		{"quotes.txt", "\"a.exe\"\n'b.exe'\n"},
		{"two.csv", "ip,domain\n10.0.0.1,a.example\n"},
		{"none.csv", "a,b\n1,2\n"},
		{"column.csv", "# column: adress\naddress,comment\n10.0.0.1,x\n"},
		{"short.csv", "comment,ip\nx,10.0.0.1\ny\n"},
		{"quote.csv", "ip\n\"10.0.0.1\n"},
		{"empty.csv", ""},
		{"latin1.txt", "caf\xe9\n"},
		{"nul.txt", "a\x00b\n"},
	} {
		l, problems := Parse(tt.file, []byte(tt.text))
		if l != nil || len(problems) == 0 {
			t.Errorf("%d: %s %q is taken", i, tt.file, tt.text)
			continue
		}
		fmt.Fprintf(&b, "%s\n\n", problems.Error())
	}
	golden.Check(t, "testdata/refused.golden", b.String())
}

// FuzzParse: no input makes parsing panic, and a list has its own entries.
func FuzzParse(f *testing.F) {
	f.Add("a.txt", []byte("10.0.0.1\n"))
	f.Add("a.csv", []byte("ip,x\n10.0.0.1,2\n"))
	f.Add("a.txt", utf16Text("a\nb\n", binary.LittleEndian))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		l, problems := Parse(name, data)
		if (l == nil) != (len(problems) > 0) {
			t.Fatalf("list %v, problems %v", l, problems)
		}
		for _, e := range entriesOf(l) {
			probe := e
			switch l.Kind {
			case IP:
				probe, _, _ = strings.Cut(e, "/")
			case Domain:
				probe = strings.Replace(e, "*.", "x.", 1)
			}
			if !l.Has(probe) {
				t.Fatalf("a %s list has not its own entry %q", l.Kind, e)
			}
		}
	})
}

func entriesOf(l *List) []string {
	if l == nil {
		return nil
	}
	return l.Entries()
}

// TestNetworks: the table finds what a loop over the networks finds.
func TestNetworks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		octet := rapid.IntRange(0, 3)
		var text bytes.Buffer
		text.WriteString("# type: ip\n")
		wanted := map[string]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "entries") {
			a, b := octet.Draw(t, "a"), octet.Draw(t, "b")
			if rapid.Bool().Draw(t, "network") {
				fmt.Fprintf(&text, "10.%d.%d.0/24\n", a, b)
				for c := range 4 {
					wanted[fmt.Sprintf("10.%d.%d.%d", a, b, c)] = true
				}
				continue
			}
			c := octet.Draw(t, "c")
			fmt.Fprintf(&text, "10.%d.%d.%d\n", a, b, c)
			wanted[fmt.Sprintf("10.%d.%d.%d", a, b, c)] = true
		}
		l, problems := Parse("a.txt", text.Bytes())
		if l == nil {
			t.Fatal(problems)
		}
		for i := range 64 {
			probe := fmt.Sprintf("10.%d.%d.%d", i/16, i/4%4, i%4)
			if l.Has(probe) != wanted[probe] {
				t.Fatalf("%s: %v, want %v, of\n%s", probe, l.Has(probe), wanted[probe], text.String())
			}
		}
	})
}

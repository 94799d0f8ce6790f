package list

import (
	"strings"
	"testing"
)

// TestElsewhere: no server may give a value that matches nearly everything; a file beside
// the rules may.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	for kind, values := range map[Kind]string{
		Domain: "com *.com COM. co.uk *.co.uk *.github.io localhost *.example *[.]com",
		IP: "0.0.0.0/1 128.0.0.0/1 ::/1 8.0.0.0/8 10.0.0.0/8 198.50.0.0/15 2001::/31 10.1.2.3 172.16.1.0/24 192.168.0.0/16 127.0.0.1 " +
			"169.254.169.254 100.64.0.1 224.0.0.1 239.1.2.0/24 0.0.0.0 255.255.255.255 :: ::1 ::/64 fe80::1 fd00::/48 ff02::1 ::ffff:10.0.0.1",
	} {
		for _, v := range strings.Fields(values) {
			if normal, reason := Elsewhere(kind, v); reason == "" || normal != "" {
				t.Errorf("%s is taken as %q of type %s", v, normal, kind)
			}
			if _, ok := Normal(kind, v); !ok {
				t.Errorf("%s is none of type %s in a file, too", v, kind)
			}
		}
	}
	for kind, values := range map[Kind]string{
		Domain: "bad.example *.bad.example a.co.uk *.a.github.io", IP: "203.0.0.0/16 203.0.113.9 2001:db8::/32 9.255.255.255 ::ffff:203.0.113.9",
		Text: "com 10.0.0.0/8",
	} {
		for _, v := range strings.Fields(values) {
			if _, reason := Elsewhere(kind, v); reason != "" {
				t.Errorf("%s of type %s is left out: %s", v, kind, reason)
			}
		}
	}
}

// TestReadingLeavesOutTooMuch, and counts it: so does a list that is given such values.
func TestReadingLeavesOutTooMuch(t *testing.T) {
	t.Parallel()
	r, err := ReadText("x", Domain, []byte("a.example\n*.com\ncom\n"))
	if err != nil || len(r.Values) != 1 || r.Left != 2 || !strings.HasPrefix(r.First, "line 2: ") {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = ReadColumn("x", IP, "1", []byte("203.0.113.1\n0.0.0.0/1\n"))
	if err != nil || len(r.Values) != 1 || r.Left != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	own, _ := Parse("a.txt", []byte("# type: ip\n10.0.0.0/8\n"))
	if more := own.With([]string{"0.0.0.0/1", "203.0.113.1"}); more.Has("9.9.9.9") || !more.Has("10.1.1.1") || !more.Has("203.0.113.1") {
		t.Errorf("entries %v", more.Entries())
	}
}

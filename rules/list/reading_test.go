package list

import (
	"slices"
	"testing"
)

// TestWith: values from elsewhere are found beside those of the file, and make no rule a
// mistake that was none.
func TestWith(t *testing.T) {
	t.Parallel()
	own, problems := Parse("a.txt", []byte("# type: ip\n203.0.113.1\n"))
	if own == nil {
		t.Fatal(problems)
	}
	more := own.With([]string{"198.51.100.0/24", "bad.example", "203.0.113.1", "0.0.0.0/0"})
	if want := []string{"198.51.100.0/24", "203.0.113.1"}; !slices.Equal(more.Entries(), want) {
		t.Errorf("entries %v, want %v", more.Entries(), want)
	}
	if want := []string{"198.51.100.0/24", "203.0.113.1"}; !slices.Equal(more.Given(), want) || own.Given() != nil {
		t.Errorf("given %v, want %v; of the list before %v", more.Given(), want, own.Given())
	}
	if !more.Has("198.51.100.7") || own.Has("198.51.100.7") {
		t.Error("the network is not found in the new list, or in the old one")
	}
	text, _ := Parse("a.txt", []byte("cmd.exe\n"))
	if entry, none := text.With([]string{"10.0.0.0/8"}).Odd(IP); entry != "" || !none {
		t.Errorf("odd is %q, none %v: values from elsewhere were looked at", entry, none)
	}
}

package lrshell

import "testing"

// TestOnlyDirectoriesGoOn: after any other completion a blank must not cost its
// last character.
func TestOnlyDirectoriesGoOn(t *testing.T) {
	values := []string{`C:\Windows\`, `C:\win.ini`, `temp\u.txt`, `/etc/`, `"C:\Program Files\`}
	for word, want := range map[string]bool{
		`c:\Windows`: true, `C:\win`: false, `temp\u`: false, `/e`: true, `"C:\P`: true, `none`: false, ``: false,
	} {
		if got := goesOn(values, word); got != want {
			t.Errorf("goesOn(%q) = %t, want %t", word, got, want)
		}
	}
}

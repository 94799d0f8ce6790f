package events

import "testing"

func TestFieldDoc(t *testing.T) {
	if got, want := FieldDoc("Binary", "Size"), "bytes"; got != want {
		t.Errorf("Binary.Size is documented as %q, want %q", got, want)
	}
	if got := FieldDoc("Process", "Name"); got != "" {
		t.Errorf("Process.Name is documented as %q", got)
	}
}

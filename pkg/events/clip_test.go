package events

import (
	"slices"
	"strings"
	"testing"
)

func TestClip(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 40)
	e := &Event{Raw: map[string]any{"a": 1}}
	e.Process.Path, e.Process.Name, e.Process.Parent.Path = long, "short.exe", long
	got, cut := e.Clip(21)
	if want := strings.Repeat("ü", 10) + "… [clipped, 80 bytes]"; got.Process.Path != want || got.Process.Parent.Path != want {
		t.Errorf("paths %q and %q, want %q", got.Process.Path, got.Process.Parent.Path, want)
	}
	if got.Process.Name != "short.exe" || got.Raw != nil {
		t.Errorf("name %q, raw %v", got.Process.Name, got.Raw)
	}
	if want := []string{"raw", "process.path", "process.parent.path"}; !slices.Equal(cut, want) {
		t.Errorf("cut %v, want %v", cut, want)
	}
	if e.Process.Path != long || e.Raw == nil {
		t.Error("the event itself was changed")
	}
}

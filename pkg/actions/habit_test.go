package actions

import (
	"testing"

	"pgregory.net/rapid"
)

// TestNoPlaceholderIsLeftOut: whatever the expression finds is not left out before.
func TestNoPlaceholderIsLeftOut(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{"$", "{", "{{", "}", "}}", "(", ")", "%", " ", "a.b", "steps.x.output", "${{ a.b }}", "text"})
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, p := range rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces") {
			text += p
		}
		for _, whole := range []string{text, "{{ a.b }}" + text, text + "$(a.b)", text + "${a.b}", text + "%a.b%"} {
			if placeholder.MatchString(whole) {
				found++
				if !mayHoldPlaceholder(whole) {
					t.Fatalf("%q is left out", whole)
				}
			}
		}
	})
	if found == 0 {
		t.Error("no text had a placeholder")
	}
	for _, text := range []string{"", "{", "$", "${{ process.path }}", "a ${{ a.b }} and ${{ c.d }}", `C:\temp`} {
		if mayHoldPlaceholder(text) {
			t.Errorf("%q is looked at, and can hold none", text)
		}
	}
}

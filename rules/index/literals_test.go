package index

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestLiteralsThatOccurAreFound compares the tables with a search for each literal.
// So few letters make literals that share grams, overlap and repeat.
func TestLiteralsThatOccurAreFound(t *testing.T) {
	word := func(least, most int) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.RuneFrom([]rune("ab.")), least, most, -1)
	}
	rapid.Check(t, func(t *rapid.T) {
		var atoms []*atom
		var ts literalTables
		rarity := rapid.MapOf(rapid.Uint32(), rapid.IntRange(0, 9)).Draw(t, "rarity")
		for n := range rapid.IntRange(1, 40).Draw(t, "literals") {
			a := &atom{op: rapid.SampledFrom([]op{opContains, opPrefix, opSuffix, opEqual}).Draw(t, "op"), text: word(1, 12).Draw(t, "literal")}
			atoms = append(atoms, a)
			ts.add(int32(n), a, a.text, rarity)
		}
		ts.seal()
		for range 10 {
			text := word(0, 9).Draw(t, "text") + rapid.SampledFrom(atoms).Draw(t, "atom").text + word(0, 9).Draw(t, "rest")
			var got, want []int32
			ts.scan([]byte(text), func(slot int32) { got = append(got, slot) })
			for n, a := range atoms {
				if (a.op == opContains && strings.Contains(text, a.text)) || (a.op == opPrefix && strings.HasPrefix(text, a.text)) ||
					(a.op == opSuffix && strings.HasSuffix(text, a.text)) || (a.op == opEqual && text == a.text) {
					want = append(want, int32(n))
				}
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Fatalf("in %q: found %v, want %v", text, got, want)
			}
		}
	})
}

func TestPostings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p postings
		hash := rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32Min(1<<32-3), rapid.Uint32())
		filed := map[uint32][]int32{}
		for slot := range rapid.Int32Range(0, 50).Draw(t, "entries") {
			h := hash.Draw(t, "hash")
			filed[h] = append(filed[h], slot)
			p.add(h, slot)
		}
		p.seal()
		asked := rapid.SliceOf(hash).Draw(t, "asked")
		for h := range filed {
			asked = append(asked, h)
		}
		for _, h := range asked {
			var got []int32
			p.find(h, func(slot int32) { got = append(got, slot) })
			slices.Sort(got)
			if !slices.Equal(got, filed[h]) {
				t.Fatalf("under %d: %v, want %v", h, got, filed[h])
			}
		}
	})
}

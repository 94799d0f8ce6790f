package format

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// sameMeaning reports whether two texts have the same values, whatever the order
// of keys, and the same characters but for white space.
func sameMeaning(a, b string) bool {
	return maps.Equal(characters(a), characters(b)) && slices.EqualFunc(documents(a), documents(b), equal)
}

// characters counts what is no white space: neither comments nor values get lost.
func characters(text string) map[rune]int {
	n := map[rune]int{}
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n[r]++
		}
	}
	return n
}

func documents(text string) []*yaml.Node {
	var all []*yaml.Node
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var n yaml.Node
		if err := dec.Decode(&n); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			return append(all, nil)
		}
		all = append(all, &n)
	}
}

func equal(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return false
	}
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.MappingNode {
		return equalMappings(a, b)
	}
	return slices.EqualFunc(a.Content, b.Content, equal)
}

func equalMappings(a, b *yaml.Node) bool {
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(b.Content); i += 2 {
		values[b.Content[i].Value] = b.Content[i+1]
	}
	for i := 0; i+1 < len(a.Content); i += 2 {
		if !equal(a.Content[i+1], values[a.Content[i].Value]) {
			return false
		}
	}
	return true
}

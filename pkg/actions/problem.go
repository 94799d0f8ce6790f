package actions

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"edrpipe/internal/nearest"
	"edrpipe/pkg/strictyaml"
)

// A Problem is a mistake in a chain or in the parameters of an action.
type Problem struct {
	Path    strictyaml.Path // from the chain's list of steps: [0].with.pid
	Key     bool            // the key at Path is meant, not its value
	Offset  int             // in characters inside the text at Path
	Length  int             // of what is meant there, in characters; 0: the whole value
	Message string
	Hint    string // what to do about it
	Warning bool   // the chain can run
}

func (p Problem) String() string {
	s := p.Message
	if p.Path != "" {
		s = string(p.Path) + ": " + s
	}
	if p.Hint != "" {
		s += ": " + p.Hint
	}
	return s
}

// suggest returns the probably intended name, or the list of valid ones.
func suggest(name string, known []string) string {
	if near := nearest.Word(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(known) == 0 {
		return "there are none"
	}
	return "known are " + strings.Join(known, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

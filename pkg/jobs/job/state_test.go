package job

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestDiagramIsTheStateMachine reads the diagram in doc.go.
func TestDiagramIsTheStateMachine(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[State][]State{}
	for line := range strings.Lines(file.Doc.Text()) {
		from, to, ok := strings.Cut(line, "->")
		if !ok {
			continue
		}
		state := State(strings.TrimSpace(from))
		drawn[state] = nil
		for _, next := range strings.Fields(to) {
			if next != "end" {
				drawn[state] = append(drawn[state], State(next))
			}
		}
	}
	for _, s := range []State{Held, Queued, Parked, Running, Succeeded, Shadowed, Skipped, Failed, Cancelled, Denied, Expired, Unknown} {
		got, ok := drawn[s]
		want := slices.Clone(transitions[s])
		slices.Sort(got)
		slices.Sort(want)
		if !ok || !slices.Equal(got, want) {
			t.Errorf("the diagram leads from %s to %v, the code to %v", s, got, want)
		}
		if s.Terminal() != (len(want) == 0) {
			t.Errorf("%s is terminal: %t, yet leads to %v", s, s.Terminal(), want)
		}
	}
	if len(drawn) != 12 {
		t.Errorf("the diagram has %d states, want 12", len(drawn))
	}
}

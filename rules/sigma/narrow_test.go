package sigma

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// node is a condition of Sigma as a tree, evaluated without the converter.
type node struct {
	op   string // and, or, not; "" is a search
	name string
	kids []*node
}

func (n *node) text() string {
	switch n.op {
	case "":
		return n.name
	case "not":
		return "not (" + n.kids[0].text() + ")"
	}
	var parts []string
	for _, k := range n.kids {
		parts = append(parts, k.text())
	}
	return "(" + strings.Join(parts, " "+n.op+" ") + ")"
}

func (n *node) holds(searches map[string]bool) bool {
	switch n.op {
	case "":
		return searches[n.name]
	case "not":
		return !n.kids[0].holds(searches)
	}
	for _, k := range n.kids {
		if k.holds(searches) == (n.op == "or") {
			return n.op == "or"
		}
	}
	return n.op == "and"
}

func drawNode(t *rapid.T, depth int, names []string) *node {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if depth == 0 || kind == 0 {
		return &node{name: rapid.SampledFrom(names).Draw(t, "search")}
	}
	n := &node{op: []string{"not", "and", "or"}[kind-1]}
	for range map[string]int{"not": 1, "and": 2, "or": 3}[n.op] {
		n.kids = append(n.kids, drawNode(t, depth-1, names))
	}
	return n
}

// A narrower rule matches nothing that its original does not, whatever the fields that
// the events lack would be; and what lacks none is converted to the same.
func TestNarrowerMatchesLess(t *testing.T) {
	t.Parallel()
	// Searches over parts of one command line, and over a field that events lack: alone, in
	// an alternative, and beside another field.
	const searches = `
  a: {CommandLine|contains: a1}
  b: {CommandLine|contains: b1}
  lost: {CurrentDirectory: x}
  either: [{CurrentDirectory: x}, {CommandLine|contains: c1}]
  both: {CurrentDirectory: x, CommandLine|contains: d1}
`
	rapid.Check(t, func(t *rapid.T) {
		tree := drawNode(t, 3, []string{"a", "b", "lost", "either", "both"})
		file := "title: T\nlogsource: {category: process_creation}\ndetection:" + searches + "  condition: " + tree.text() + "\n"
		r := ConvertAll([]File{{"t", []byte(file)}}, Options{Narrower: true})[0]
		if r.Err != nil {
			return // nothing was left
		}
		program, err := expression.EventScope().Lenient().Condition(r.Rule.When)
		if err != nil {
			t.Fatalf("%s: %v", r.Rule.When, err)
		}
		if marked := len(r.Rule.Source.Narrower) > 0; marked != strings.Contains(r.Rule.Description, "Narrower than its source") {
			t.Fatalf("source.narrower is %v, the description %q", r.Rule.Source.Narrower, r.Rule.Description)
		}
		for bits := range 16 {
			line := ""
			for i, word := range []string{"a1", "b1", "c1", "d1"} {
				if bits&(1<<i) != 0 {
					line += word
				}
			}
			got, err := program.Bool(process("", line, ""))
			if err != nil {
				t.Fatal(err)
			}
			has := func(word string) bool { return strings.Contains(line, word) }
			for _, lost := range []bool{false, true} {
				want := tree.holds(map[string]bool{"a": has("a1"), "b": has("b1"), "lost": lost, "either": lost || has("c1"), "both": lost && has("d1")})
				if got && !want || got != want && len(r.Rule.Source.Narrower) == 0 {
					t.Fatalf("%s of %q = %v, the original with the field %v = %v:\n%s", tree.text(), line, got, lost, want, r.Rule.When)
				}
			}
		}
	})
}

// Image metadata and placeholders against what Sigma says of the same texts.
func TestImageAndPlaceholders(t *testing.T) {
	t.Parallel()
	lists := scopeLists{"admins": {"corp\\ann", "Corp\\Bob"}}
	for _, tt := range []struct {
		category, search string
		image            events.ImageInfo
		user             string
		want             expression.Truth
	}{
		{"process_creation", `{OriginalFileName: 'pack.exe'}`, events.ImageInfo{Known: true, OriginalName: "PACK.EXE"}, "", expression.True},
		{"process_creation", `{OriginalFileName: ['a.exe', 'pack.exe']}`, events.ImageInfo{Known: true, OriginalName: "pack.exe.mui"}, "", expression.False},
		{"process_creation", `{OriginalFileName|endswith: '.mui'}`, events.ImageInfo{Known: true, OriginalName: "pack.exe.MUI"}, "", expression.True},
		{"process_creation", `{OriginalFileName: 'pack.exe'}`, events.ImageInfo{}, "", expression.Unknown},
		{"process_creation", `{OriginalFileName: 'pack.exe', CommandLine: 'y'}`, events.ImageInfo{}, "", expression.False},
		{"process_creation", `{Company: null}`, events.ImageInfo{Known: true}, "", expression.True},
		{"process_creation", `{Company: null}`, events.ImageInfo{}, "", expression.Unknown},
		{"image_load", `{Signed: 'false'}`, events.ImageInfo{Known: true, SignResult: "Unsigned"}, "", expression.True},
		{"image_load", `{Signed: 'true'}`, events.ImageInfo{Known: true, SignResult: "Expired"}, "", expression.True},
		{"image_load", `{Signed: 'true'}`, events.ImageInfo{Known: true, SignResult: "Signed", Signed: true}, "", expression.True},
		{"image_load", `{Signed: 'false'}`, events.ImageInfo{}, "", expression.Unknown},
		{"process_creation", `{User|expand: '%admins%'}`, events.ImageInfo{}, `CORP\BOB`, expression.True},
		{"process_creation", `{User|expand: '%admins%'}`, events.ImageInfo{}, `CORP\BOBBY`, expression.False},
		{"process_creation", `{User|expand|neq: '%admins%'}`, events.ImageInfo{}, `CORP\BOBBY`, expression.True},
	} {
		file := fmt.Sprintf("title: T\nlogsource: {category: %s}\ndetection:\n  selection: %s\n  condition: selection\n", tt.category, tt.search)
		r := Convert("t", []byte(file))[0]
		if r.Err != nil {
			t.Errorf("%s: %v", tt.search, r.Err)
			continue
		}
		program, err := expression.EventScope().WithLists(lists).Condition(r.Rule.When)
		if err != nil {
			t.Errorf("%s: %v", tt.search, err)
			continue
		}
		e := process(`c:\a.exe`, "x", "")
		e.Image, e.Process.User = tt.image, tt.user
		if got, _, err := program.Truth(e, e.Unknown()); got != tt.want || err != nil {
			t.Errorf("%s of %+v %s = %v, %v; want %v", tt.search, tt.image, tt.user, got, err, tt.want)
		}
	}
}

// scopeLists are lists of texts.
type scopeLists map[string][]string

func (l scopeLists) Has(list, value string) bool {
	for _, v := range l[list] {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

func (l scopeLists) Names() []string { return []string{"admins"} }

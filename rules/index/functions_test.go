package index

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"edrpipe/pkg/events"
	"edrpipe/pkg/expression"
)

// notIndexed are the functions whose example every event of its types is a candidate for,
// and why. A new function is looked up by the index, or is listed here.
var notIndexed = map[string]string{
	"join":       "its text comes from a list, and lists are not indexed",
	"is_ip":      "nearly every address field holds an address",
	"known":      "facts of endpoints are read after the lookup",
	"in_list":    "a list is replaced while the set of rules stays",
	"fromJSON":   "what it gives has no type",
	"duration":   "durations are not indexed",
	"program_of": "it gives a path that is not in the field as it stands",
	"has":        "it says that a field is not empty, and most are not",
}

// notTotal are the functions that can fail on texts, and those that are safe for more
// than texts, which callMayFail decides itself.
var notTotal = []string{"iin", "join", "has", "known", "fromJSON"}

// TestEveryFunctionIsIndexedOrListed compiles the example of each function.
func TestEveryFunctionIsIndexedOrListed(t *testing.T) {
	t.Parallel()
	scope := expression.EventScope().WithLists(anyList{}).Lenient()
	for _, f := range expression.Functions() {
		if listed := slices.Contains(notTotal, f.Name); listed == f.Total {
			t.Errorf("%s: total: %v, and listed as not: %v", f.Name, f.Total, listed)
		}
		p, err := scope.Condition(f.Example)
		if err != nil {
			t.Errorf("%s: its example does not compile: %v", f.Name, err)
			continue
		}
		why := New([]Condition{{On: []string{"*"}, Tree: p.Node()}}).Why(0)
		if _, listed := notIndexed[f.Name]; listed != (why != "") {
			t.Errorf("%s: listed as not indexed: %v; the index says %q", f.Name, listed, why)
		}
	}
}

// TestTotalFunctionsNeverFail calls the functions that the index takes for safe with any
// texts: one that failed would hide from the index that a rule fails.
func TestTotalFunctionsNeverFail(t *testing.T) {
	t.Parallel()
	scope := expression.EventScope().WithLists(anyList{}).Lenient()
	constants := map[string]string{
		"cidr": `"10.0.0.0/8"`, "in_list": `"any"`, "duration": `"1h"`, "glob": `"a*?\\x"`, "iglob": `"*A?"`,
	}
	var calls []*expression.Program
	for _, f := range expression.Functions() {
		if !f.Total {
			continue
		}
		args := []string{"process.name", "process.path"}
		if c, ok := constants[f.Name]; ok {
			args[1] = c
		}
		if f.Name == "duration" {
			args = args[1:]
		} else if !strings.Contains(f.Signature, ",") {
			args = args[:1]
		}
		p, err := scope.Value(f.Name + "(" + strings.Join(args, ", ") + ")")
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		calls = append(calls, p)
	}
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile), rapid.SampledFrom([]string{"", "10.1.2.3", "fe80::1%eth0", "::", `c:\`, "/", "*?["}))
		e := &events.Event{}
		e.Process.Name, e.Process.Path = texts.Draw(t, "a"), texts.Draw(t, "b")
		for _, p := range calls {
			if _, err := p.Eval(e); err != nil {
				t.Fatalf("%s fails on %q, %q: %v", p.Source, e.Process.Name, e.Process.Path, err)
			}
		}
	})
}

// TestFunctionsLikeOperators: a function that has the result of an operator where case
// does not count has it for every pair of texts.
func TestFunctionsLikeOperators(t *testing.T) {
	t.Parallel()
	found := 0
	for _, f := range expression.Functions() {
		if f.Like == "" {
			continue
		}
		found++
		ours := compile(t, f.Name+"(process.name, process.path)")
		theirs := compile(t, "lower(process.name) "+f.Like+" lower(process.path)")
		rapid.Check(t, func(t *rapid.T) {
			word := rapid.SampledFrom(append([]string{"", "a", "A", "ab", "bA"}, hostile...))
			e := &events.Event{}
			e.Process.Path = word.Draw(t, "part")
			e.Process.Name = word.Draw(t, "before") + e.Process.Path + word.Draw(t, "after")
			got, err := ours.Bool(e)
			want, err2 := theirs.Bool(e)
			if err != nil || err2 != nil || got != want {
				t.Fatalf("%s(%q, %q) = %v, %v; %s gives %v, %v", f.Name, e.Process.Name, e.Process.Path, got, err, f.Like, want, err2)
			}
		})
	}
	if found != 4 || !reflect.DeepEqual(foldingOps, map[string]op{"icontains": opContains, "istartswith": opPrefix, "iendswith": opSuffix, "ieq": opEqual}) {
		t.Errorf("%d functions are like an operator, looked up as %v", found, foldingOps)
	}
}

// anyList is one list, "any", and "known-good" of the documentation.
type anyList struct{}

func (anyList) Has(string, string) bool { return true }
func (anyList) Names() []string         { return []string{"any", "known-good"} }

package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"edrpipe/pkg/strictyaml"
)

func TestProblemTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 200) + "X" + strings.Repeat("b", 200)
	for name, tt := range map[string]struct {
		p    strictyaml.Problem
		want string
	}{
		"whole file":           {strictyaml.Problem{File: "f", Message: "m", Hint: "h"}, "f: m\n       = h\n"},
		"without a hint":       {strictyaml.Problem{File: "f", Message: "m"}, "f: m\n"},
		"a line":               {strictyaml.Problem{File: "f", Line: 3, Message: "m", Source: "s", Hint: "h"}, "f:3: m\n     3 | s\n       = h\n"},
		"a place":              {strictyaml.Problem{File: "f", Line: 3, Column: 2, Length: 3, Message: "m", Source: "abcdef", Hint: "h"}, "f:3:2: m\n     3 | abcdef\n       |  ^^^ h\n"},
		"longer than the line": {strictyaml.Problem{File: "f", Line: 1, Column: 3, Length: 99, Message: "m", Source: "abc"}, "f:1:3: m\n     1 | abc\n       |   ^\n"},
		"behind the line":      {strictyaml.Problem{File: "f", Line: 1, Column: 9, Length: 0, Message: "m", Source: "abc"}, "f:1:9: m\n     1 | abc\n       |    ^\n"},
		"a warning":            {strictyaml.Problem{File: "f", Line: 1, Message: "m", Warning: true}, "f:1: warning: m\n"},
		"hostile":              {strictyaml.Problem{File: "f\x1b[2J", Line: 1, Column: 1, Length: 1, Message: "m\u202e", Source: "\ta\x07", Hint: "h\n"}, "f\uFFFD[2J:1:1: m\uFFFD\n     1 |  a\uFFFD\n       | ^ h\uFFFD\n"},
		"in a long line": {strictyaml.Problem{File: "f", Line: 1, Column: 201, Length: 1, Message: "m", Source: long},
			"f:1:201: m\n     1 | …" + strings.Repeat("a", 60) + "X" + strings.Repeat("b", 59) + "…\n       | " + strings.Repeat(" ", 61) + "^\n"},
		"at the begin of one": {strictyaml.Problem{File: "f", Line: 1, Column: 1, Length: 2, Message: "m", Source: long},
			"f:1:1: m\n     1 | " + strings.Repeat("a", 120) + "…\n       | ^^\n"},
	} {
		if diff := cmp.Diff(tt.want, tt.p.Text()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestProblemsAsOne(t *testing.T) {
	t.Parallel()
	warning, first, second := strictyaml.Problem{File: "b", Line: 1, Message: "w", Warning: true}, strictyaml.Problem{File: "a", Line: 2, Column: 1, Message: "x"}, strictyaml.Problem{File: "a", Line: 10, Message: "x"}
	if (strictyaml.Problems{warning}).Err() != nil || (strictyaml.Problems{}).Err() != nil {
		t.Error("warnings alone are an error")
	}
	all := strictyaml.Problems{warning, second, first, first}.Sort()
	if diff := cmp.Diff(strictyaml.Problems{first, second, warning}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all.Err() == nil || all.Errors() != 2 || all.Error() != "a:2:1: x\na:10: x\nb:1: warning: w" {
		t.Errorf("%d errors: %q", all.Errors(), all.Error())
	}
}

// TestFilesThatCannotBeUsed: where it is broken, and what to do.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text         string
		line, column int
		want         string
	}{
		"empty":                 {"", 0, 0, "the file is empty"},
		"comments only":         {"# a\n---\n# b\n", 0, 0, "the file is empty"},
		"two documents":         {"text: a\n---\ntext: b\n", 3, 1, "remove the --- line"},
		"not UTF-8":             {"text: a\nword: \"\xe9\"\n", 2, 8, "saved as UTF-8"},
		"NUL":                   {"text: \x00", 1, 7, "UTF-8"},
		"UTF-16":                {"\xff\xfet\x00", 1, 1, "UTF-8"},
		"a tab":                 {"in:\n\ta: 1\n", 2, 1, "indent with spaces"},
		"a quote left open":     {"text: \"a\nword: b\n", 1, 7, "not closed"},
		"an anchor that is not": {"text: a\nany: [ *b ]\n", 2, 8, "define it above with &name"},
		"a star in text":        {"text: *exe\n", 1, 7, "needs quotes"},
		"an at sign":            {"text: @a\n", 1, 7, "put the text in quotes"},
		"a colon in text":       {"text: a: b\n", 1, 0, "needs quotes"},
		"an escape that is not": {"text: \"c:\\windows\"\n", 1, 0, "single quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got everything
			_, err := strictyaml.Decode("x.yaml", []byte(tt.text), &got)
			problems, _ := err.(strictyaml.Problems)
			if len(problems) != 1 {
				t.Fatalf("problems %v, want one", err)
			}
			p := problems[0]
			if p.Line != tt.line || tt.column > 0 && p.Column != tt.column || !strings.Contains(p.Text(), tt.want) {
				t.Errorf("at %d:%d, want %d:%d with %q:\n%s", p.Line, p.Column, tt.line, tt.column, tt.want, p.Text())
			}
		})
	}
	// A mark of the byte order is no text, and does not move places.
	var got everything
	if _, err := strictyaml.Decode("x.yaml", []byte("\xEF\xBB\xBFtext: a\n"), &got); err != nil || got.Text != "a" {
		t.Errorf("behind a byte order mark: %q, %v", got.Text, err)
	}
	f, _ := strictyaml.Parse("x.yaml", []byte("\xEF\xBB\xBFtext: a\n"))
	if p := f.Documents[0].At("text", "m"); p.Column != 7 || p.Source != "text: a" {
		t.Errorf("behind a byte order mark: column %d of %q", p.Column, p.Source)
	}
}

func TestWhatADocumentHas(t *testing.T) {
	t.Parallel()
	f, problems := strictyaml.Parse("x.yaml", []byte("base: &b { deep: { x: 1 } }\nlist:\n  - a\n  - { k: v }\nsingle: only\nuse: { <<: *b, own: 2 }\n\"a.b\": 1\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	doc := f.Documents[0]
	for path, want := range map[strictyaml.Path]bool{
		"": true, "list": true, "list[1].k": true, "list[2]": false, "list[1].v": false, "single": true, "single[0]": true, "single[1]": false, "single.x": false,
		"use.deep.x": true, "use.own": true, "use.nothing": false, `["a.b"]`: true, "a.b": false, "list[x]": true, `["open`: true,
	} {
		if doc.Has(path) != want {
			t.Errorf("Has(%q) = %v", path, !want)
		}
	}
	if diff := cmp.Diff([]string{"base", "list", "single", "use", "a.b"}, doc.Keys("")); diff != "" {
		t.Error(diff)
	}
	if doc.Keys("list") != nil || doc.Keys("nothing") != nil {
		t.Error("a list and nothing have keys")
	}
	if doc.Name() != "x.yaml" || doc.Line("list[1]") != 4 || doc.Line("single.deeper") != 5 {
		t.Errorf("%s, lines %d and %d", doc.Name(), doc.Line("list[1]"), doc.Line("single.deeper"))
	}
	var into int
	if p := doc.DecodePart("nothing", &into); len(p) != 1 || !strings.Contains(p.Error(), "nothing is missing") {
		t.Errorf("a part that is not there: %v", p)
	}
	if p := doc.DecodePart("base.deep.x", &into); len(p) != 0 || into != 1 {
		t.Errorf("a part: %d, %v", into, p)
	}
	if p := doc.Within("list", 0, 1, "m"); p.Line != 3 { // no text: the place of the value
		t.Errorf("within a list: line %d", p.Line)
	}
}

package strictyaml_test

import (
	"strings"
	"testing"

	"edrpipe/pkg/strictyaml"
)

// TestWithin points at the X of each text, whatever way YAML writes it.
func TestWithin(t *testing.T) {
	tests := []struct{ name, text string }{
		{"plain", "any: a && X == 1"},
		{"plain over lines", "any: a &&\n  b ||\n    c && X"},
		{"single quotes", "any: 'it''s ''X'''"},
		{"double quotes", `any: "c:\\dir\t\"\u0041\x41 X"`},
		{"double quotes over lines", "any: \"a \\\n   b\n   X\""},
		{"literal", "any: |\n  a\n    b\n\n  X"},
		{"folded", "any: >\n  a\n  && b\n\n    more\n  && X"},
		{"folded with a header", "any: >2- # comment X\n  a\n  X"},
		{"behind an anchor", "any: &here a X"},
		{"behind a tag", "any: !!str a X"},
		{"in a flow mapping", "any: { name: ä, when: \"ß X\" }"},
		{"wide characters", "any: \"日本語 X\""},
		{"windows line ends", "any: |\r\n  a\r\n  X\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := strictyaml.Parse("x.yaml", []byte(tt.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			doc := f.Documents[0]
			path, value := strictyaml.Path("any"), any(nil)
			if doc.Has("any.when") {
				path = "any.when"
			}
			if p := doc.DecodePart(path, &value); len(p) > 0 {
				t.Fatal(p)
			}
			before, _, _ := strings.Cut(value.(string), "X")
			p := doc.Within(path, len([]rune(before)), 1, "here")
			line := strings.Split(strings.ReplaceAll(tt.text, "\r", ""), "\n")[p.Line-1]
			if got := string([]rune(line)[p.Column-1]); got != "X" {
				t.Errorf("line %d column %d is %q, want X", p.Line, p.Column, got)
			}
		})
	}
}

func TestWithinEnd(t *testing.T) {
	f, _ := strictyaml.Parse("x.yaml", []byte("when: a &&\nnext: 1\n"))
	p := f.Documents[0].Within("when", 4, 1, "something is missing")
	if p.Line != 1 || p.Column != 11 {
		t.Errorf("the end of the text is at %d:%d, want 1:11", p.Line, p.Column)
	}
}

func TestPath(t *testing.T) {
	f, _ := strictyaml.Parse("x.yaml", []byte("rules:\n  - id: a\n    vars: { \"x.y\": 1 }\n    on: registry\n"))
	doc := f.Documents[0]
	rule := strictyaml.Path("").Key("rules").Index(0)
	tests := []struct {
		path         strictyaml.Path
		line, column int
	}{
		{rule.Key("id"), 2, 9},
		{rule.Key("vars").Key("x.y"), 3, 20},
		{rule.Key("on").Index(0), 4, 9},
		{rule.Key("missing").Key("deeper"), 2, 5}, // the nearest that is there
	}
	for _, tt := range tests {
		if p := doc.At(tt.path, ""); p.Line != tt.line || p.Column != tt.column {
			t.Errorf("%s is at %d:%d, want %d:%d", tt.path, p.Line, p.Column, tt.line, tt.column)
		}
	}
	if p := doc.AtKey(rule.Key("on"), ""); p.Column != 5 {
		t.Errorf("the key is in column %d, want 5", p.Column)
	}
}

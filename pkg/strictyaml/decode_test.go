package strictyaml_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"edrpipe/internal/golden"
	"edrpipe/pkg/strictyaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type recipe struct {
	Name   string                     `yaml:"name,required"`
	Mode   string                     `yaml:"mode" enum:"shadow,enforce"`
	On     []string                   `yaml:"on,alias=event" list:"one"`
	Jobs   int                        `yaml:"jobs" min:"1" max:"100"`
	Score  float64                    `yaml:"score"`
	Active bool                       `yaml:"active"`
	Wait   time.Duration              `yaml:"wait"`
	Since  time.Time                  `yaml:"since"`
	Steps  []step                     `yaml:"steps"`
	Vars   strictyaml.Ordered[string] `yaml:"vars"`
	Any    any                        `yaml:"any"`
	Limits *limits                    `yaml:"limits"`
	Hosts  map[string]limits          `yaml:"hosts"`
	common `yaml:",inline"`
}

type common struct {
	Owner string `yaml:"owner"`
}

type step struct {
	Uses string         `yaml:"uses,required"`
	With map[string]any `yaml:"with"`
}

type limits struct {
	Max uint16 `yaml:"max"`
}

func TestDecode(t *testing.T) {
	const text = `
x-defaults: &defaults { max: 7 }
name: 1.10
mode: shadow
on: registry
jobs: 3
score: 2.5e1
active: true
wait: 7d
since: 2026-01-31T15:04:05Z
owner: soc
vars: { zulu: a, alpha: b }
steps:
  - uses: get_file
    with: { path: "c:\\x", n: 5, f: 1.5, ok: yes, day: 2026-01-01, list: [1, ~] }
any: { deep: [true] }
limits: *defaults
hosts:
  a: { <<: *defaults }
  b: { <<: *defaults, max: 9 }
`
	var got recipe
	if _, err := strictyaml.Decode("r.yaml", []byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := recipe{
		Name: "1.10", Mode: "shadow", On: []string{"registry"}, Jobs: 3, Score: 25, Active: true,
		Wait: 7 * 24 * time.Hour, Since: time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
		Steps: []step{{"get_file", map[string]any{
			"path": `c:\x`, "n": 5, "f": 1.5, "ok": "yes", "day": "2026-01-01", "list": []any{1, nil},
		}}},
		Vars:   strictyaml.Ordered[string]{{Key: "zulu", Value: "a"}, {Key: "alpha", Value: "b"}},
		Any:    map[string]any{"deep": []any{true}},
		Limits: &limits{7}, Hosts: map[string]limits{"a": {7}, "b": {9}},
		common: common{Owner: "soc"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(recipe{}, common{})); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

// TestProblems decodes each testdata/problems/*.yaml and compares all that is
// reported with the .golden beside it.
func TestProblems(t *testing.T) {
	files, _ := filepath.Glob("testdata/problems/*.yaml")
	if len(files) < 10 {
		t.Fatalf("only %d problem files", len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r recipe
			_, err = strictyaml.Decode(filepath.Base(file), data, &r)
			if err == nil {
				t.Fatal("no problem found")
			}
			golden.Check(t, strings.TrimSuffix(file, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func TestLimits(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'i'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 10), ",") + "]\n"
	}
	tests := []struct{ name, text, want string }{
		{"aliases that grow tenfold a line", bomb, "too large"},
		{"a hundred lists in each other", "any: " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested more than"},
		{"an anchor inside itself", "any: &a [ *a ]", "nested more than"},
		{"a merge of itself", "any: &a { <<: *a }", ""},
		{"more than the size limit", strings.Repeat("#", strictyaml.MaxBytes+1), "the limit is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, problems := strictyaml.Parse("x.yaml", []byte(tt.text))
			if len(problems) == 0 {
				var into map[string]any
				problems = f.Documents[0].Decode(&into)
			}
			if len(problems) == 0 || !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("problems = %v, want one with %q", problems, tt.want)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	f, problems := strictyaml.Parse("x.yaml", []byte("---\nname: a\n---\n# nothing\n---\nname: b\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, doc := range f.Documents {
		var r recipe
		if p := doc.Decode(&r); len(p) > 0 {
			t.Fatal(p)
		}
		got = append(got, r.Name)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"90s", 90 * time.Second}, {"7d", 168 * time.Hour}, {"1w2d", 216 * time.Hour},
		{"1h30m", 90 * time.Minute}, {"1.5h", 90 * time.Minute}, {"250ms", 250 * time.Millisecond}, {"0", 0},
	}
	for _, tt := range tests {
		if got, err := strictyaml.ParseDuration(tt.in); err != nil || got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "15", "-5m", "5 m", "m", "1y", "99999999w", "1e3s"} {
		if got, err := strictyaml.ParseDuration(bad); err == nil {
			t.Errorf("ParseDuration(%q) = %v, want an error", bad, got)
		}
	}
}

// The caret stands below what is meant on a terminal, where wide letters take
// two columns.
func TestCaretBelowWideText(t *testing.T) {
	p := strictyaml.Problem{File: "a", Line: 1, Column: 7, Length: 2, Source: "é日本\t: xy", Message: "m"}
	if got, want := p.Text(), "a:1:7: m\n     1 | é日本 : xy\n       |  \u3000\u3000   ^^\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

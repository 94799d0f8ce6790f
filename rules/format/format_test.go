package format_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"edrpipe/internal/golden"
	"edrpipe/pkg/strictyaml"
	"edrpipe/rules"
	"edrpipe/rules/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGolden: what the formatter makes of each file, and that it makes nothing more
// of that.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.yaml")
	if len(files) == 0 {
		t.Fatal("there are no files")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			got := twice(t, file)
			golden.Check(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
		})
	}
}

// twice formats a file two times and returns the text.
func twice(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	once, err := format.Source(file, text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := format.Source(file, once)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(once) {
		t.Errorf("%s: formatted again it is another text:\n%s", file, again)
	}
	return string(once)
}

// TestDigestsStay: formatting changes no rule.
func TestDigestsStay(t *testing.T) {
	for _, dir := range []string{"../../examples/rules", "../testdata/good", "testdata"} {
		files, err := rules.Paths(false, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			want := digests(t, file)
			into := filepath.Join(t.TempDir(), filepath.Base(file))
			copyLists(t, filepath.Dir(file), filepath.Dir(into))
			if err := os.WriteFile(into, []byte(twice(t, file)), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := digests(t, into); got != want {
				t.Errorf("%s: the rules are others after formatting", file)
			}
		}
	}
}

func copyLists(t *testing.T, from, to string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(from, "lists")); err != nil {
		return
	}
	if err := os.CopyFS(filepath.Join(to, "lists"), os.DirFS(filepath.Join(from, "lists"))); err != nil {
		t.Fatal(err)
	}
}

func digests(t *testing.T, file string) string {
	t.Helper()
	set, err := rules.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range set.Rules() {
		b.WriteString(r.ID + " " + r.Digest + "\n")
	}
	return b.String()
}

// TestMistakes: what is no YAML is refused with its place.
func TestMistakes(t *testing.T) {
	_, err := format.Source("a.yaml", []byte("rules:\n  - id: [\n"))
	problems, ok := err.(strictyaml.Problems)
	if !ok || len(problems) != 1 || problems[0].Line == 0 {
		t.Errorf("got %v, want a problem with its line", err)
	}
}

// TestAnyText: of any text of YAML, formatting gives a text with the same values
// that formatting leaves alone, or says that it cannot.
func TestAnyText(t *testing.T) {
	refused, formatted := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		text := anyRules(r)
		if _, problems := strictyaml.Parse("a.yaml", []byte(text)); len(problems) > 0 {
			r.Skip("no YAML")
		}
		once, err := format.Source("a.yaml", []byte(text))
		if err != nil {
			refused++
			return
		}
		formatted++
		again, err := format.Source("a.yaml", once)
		if err != nil || string(again) != string(once) {
			r.Fatalf("formatted once:\n%s\nand again (%v):\n%s\nof:\n%s", once, err, again, text)
		}
	})
	if refused*20 > formatted {
		t.Errorf("%d of %d texts were refused", refused, refused+formatted)
	}
}

// anyRules is the text of some rules, written in one of many ways.
func anyRules(r *rapid.T) string {
	var b strings.Builder
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(r, "pick") }
	in := strings.Repeat(" ", rapid.IntRange(0, 3).Draw(r, "indentation"))
	b.WriteString(pick("", "# head\n", "\n\n", "x-a: &a {k:  v}\n") + pick("rules:\n", "rules:   # all of them\n"))
	for range rapid.IntRange(1, 3).Draw(r, "rules") {
		b.WriteString(pick("", "\n", "\n\n", in+"# a rule\n"))
		dash := pick("- ", "-   ")
		own := in + strings.Repeat(" ", len(dash))
		lines := rapid.Permutation([]string{
			"id: " + pick("a", `"b"`, "'c'"),
			"when: " + pick(">\n"+own+"  a &&\n\n"+own+"  b", "|-\n"+own+"      # no comment\n"+own+"        x", "a == \"#\"  # said", "plain\n"+own+"  goes on\n"+own+"  # not this"),
			"steps:" + pick(" [ {uses: x,with: {a: [1,2 ,3], b: 'it''s'}} ]", "\n"+own+"- uses: a\n"+own+"  id: b  # s\n"+own+"  # after", "\n"+own+"    -   with:\n"+own+"            k: v\n"+own+"        uses: z", " [ { a: b,\n"+own+"   c: \"x, y\" } ] # end"),
			"title: " + pick("\"a\n"+own+"  b\"", "x: y"[:1], "'quo # ted'", ""),
			"tags: " + pick("[]", "\n"+own+" - a\n"+own+" - b", "\n"+own+"# these\n"+own+"- |\n"+own+"   text\n"+own+"- c"),
		}).Draw(r, "keys")
		for i, l := range lines[:rapid.IntRange(1, len(lines)).Draw(r, "some")] {
			lead := own
			if i == 0 {
				lead = in + dash
			} else {
				b.WriteString(pick("", "", own+"# about it\n", "\n", in+"# left\n"))
			}
			b.WriteString(lead + l + pick("", "", "  ") + "\n")
		}
	}
	return b.String() + pick("", "# end\n", "\n\n", in+"  # inner end\n")
}

func FuzzSource(f *testing.F) {
	for _, seed := range []string{"rules:\n  - id: a\n", "rules: [ {id: a} ]\n", "a: |2\n    x\n", "- - a\n  - b\n", "a: &x\n- 1\nb: *x\n", "? a\n: b\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once, err := format.Source("a.yaml", []byte(text))
		if err != nil {
			return
		}
		again, err := format.Source("a.yaml", once)
		if err != nil || string(again) != string(once) {
			t.Fatalf("%q formatted is %q, and again %q (%v)", text, once, again, err)
		}
	})
}

// TestShippedRulesAreFormatted: what we ship is written as we tell others to write.
func TestShippedRulesAreFormatted(t *testing.T) {
	for _, dir := range []string{"../../examples/rules", "../../internal/setup/files/rules"} {
		files, err := rules.Paths(true, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if formatted, err := format.Source(file, text); err != nil || string(formatted) != string(text) {
				t.Errorf("%s is not formatted (%v): run pipeline rules fmt -w", file, err)
			}
		}
	}
}

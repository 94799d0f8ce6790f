package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEachCanBePlanted: the list is kept with the code.
func TestEachCanBePlanted(t *testing.T) {
	t.Chdir("../..")
	all, err := read("scripts/mutants/mutants.yaml")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d mutants, %v", len(all), err)
	}
	names := map[string]bool{}
	for _, m := range all {
		text, err := m.mutated()
		if err != nil {
			t.Errorf("%s: %s: %v", m.File, m.Name, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.File, text, 0); err != nil || names[m.Name] || m.Name == "" {
			t.Errorf("%s: %q: no name of its own, or no Go: %v", m.File, m.Name, err)
		}
		names[m.Name] = true
	}
}

func TestWhatIsReported(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{
		"go.mod": "module m\n", "p/p.go": "package p\n\nfunc Two() int { return 2 }\n\nfunc Three() int { return 3 }\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif Two() != 2 {\n\t\tt.Fail()\n\t}\n}\n",
		"list.yaml": `
- { name: noticed, file: p/p.go, old: return 2, new: return 1 }
- { name: not noticed, file: p/p.go, old: return 3, new: return 1, run: TestTwo }
- { name: allowed to live, file: p/p.go, old: return 3, new: return 4, survives: nothing calls it }
- { name: no such test, file: p/p.go, old: return 2, new: return 1, run: TestNone }
- { name: does not build, file: p/p.go, old: return 2, new: return x }
- { name: not in the file, file: p/p.go, old: return 7, new: return x }
`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err := run("list.yaml", "", nil, &out)
	if err == nil || !strings.Contains(err.Error(), "4 planted bugs") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{
		"killed   p/p.go: noticed\n", "SURVIVED p/p.go: not noticed\n", "allowed  p/p.go: allowed to live: nothing calls it\n",
		"BROKEN   p/p.go: no such test: no test", "BROKEN   p/p.go: does not build: the tests do not build", "BROKEN   p/p.go: not in the file", "1 killed, 4 not\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := run("list.yaml", "", []string{"noticed", "allowed"}, &out); err == nil || strings.Contains(out.String(), "build") {
		t.Errorf("by name: %v\n%s", err, out.String())
	}
}

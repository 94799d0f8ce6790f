package sigma

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"edrpipe/internal/golden"
	"edrpipe/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConvert(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, filepath.Join("testdata", name+".golden"), describe(Convert(name, data)))
		})
	}
}

// fixtures are the results of all of them.
func fixtures(t *testing.T) []Result {
	t.Helper()
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	var all []Result
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Convert(filepath.Base(file), data)...)
	}
	return all
}

// describe is what was converted, as short as it can be compared.
func describe(results []Result) string {
	var b strings.Builder
	for _, r := range results {
		if r.Err != nil {
			fmt.Fprintf(&b, "refused: %v\n\n", r.Err)
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n  on %s, %s, %s\n  %s\n", r.Rule.ID, r.Title, strings.Join(r.Rule.On, ","), r.Rule.Severity, r.Rule.Mode, r.Rule.When)
		if c := r.Rule.Correlate; c != nil {
			fmt.Fprintf(&b, "  correlate %+v\n", *c)
		}
		for _, step := range r.Rule.Steps {
			if step.ID != "" || step.If != "" {
				fmt.Fprintf(&b, "  %s if %s\n", step.Uses, step.If)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestEveryRefusalHasATitleAndAReason(t *testing.T) {
	data, err := os.ReadFile("testdata/refused.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Convert("refused", data) {
		if r.Err == nil {
			t.Errorf("%s: converted to %s, want a refusal", r.Title, r.Rule.When)
		} else if title, reason, _ := strings.Cut(r.Err.Error(), ": "); title == "" || reason == "" {
			t.Errorf("refusal %q lacks its title or reason", r.Err)
		}
	}
}

func TestNotYAML(t *testing.T) {
	got := Convert("x", []byte("title: [\n"))
	if len(got) != 1 || got[0].Err == nil {
		t.Errorf("Convert of broken YAML = %+v, want one refusal", got)
	}
}

// What is converted loads as a rule file: conditions of steps, correlations and the
// rules that they name, too.
func TestConvertedFixturesLoad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		converted := []*Rule{}
		for _, r := range Convert(strings.TrimSuffix(filepath.Base(file), ".yml"), data) {
			if r.Rule != nil {
				converted = append(converted, r.Rule)
			}
		}
		if len(converted) == 0 {
			continue
		}
		text, err := yaml.Marshal(map[string]any{"rules": converted})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "rules.yaml")
		for _, r := range converted {
			putLists(t, filepath.Dir(out), r.Lists)
		}
		if err := os.WriteFile(out, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := rules.Load(out); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// putLists writes list files beside rules.
func putLists(t *testing.T, dir string, lists map[string][]string) {
	t.Helper()
	for name, values := range lists {
		if err := os.MkdirAll(filepath.Join(dir, "lists"), 0o700); err != nil {
			t.Fatal(err)
		}
		text := "# type: text\n# empty: ok\n" + strings.Join(values, "\n") + "\n"
		if err := os.WriteFile(filepath.Join(dir, "lists", name+".txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What is encoded must be found wherever it lies in an encoded text.
func TestBase64OffsetsFindTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zA-Z(. ]{3,12}`).Draw(t, "text")
		before := rapid.String().Draw(t, "before")
		after := rapid.String().Draw(t, "after")
		encoded := base64.StdEncoding.EncodeToString([]byte(before + text + after))
		for _, form := range base64Offsets(text) {
			if strings.Contains(encoded, form) {
				return
			}
		}
		t.Errorf("none of %q is in %q", base64Offsets(text), encoded)
	})
}

func TestWindash(t *testing.T) {
	tests := []struct {
		value string
		want  int
	}{
		{" -enc ", 5}, {"/c", 5}, {"no option", 1}, {"a-b", 1}, {" -a -b", 25}, {"--all", 5},
	}
	for _, tt := range tests {
		got, err := windash(tt.value)
		if err != nil || len(got) != tt.want {
			t.Errorf("windash(%q) = %q, %v; want %d forms", tt.value, got, err, tt.want)
		}
	}
	if _, err := windash(" -a -b -c -d"); err == nil {
		t.Error("windash with four options is not refused")
	}
}

func TestParsePattern(t *testing.T) {
	tests := []struct{ value, want string }{
		{`\cmd.exe`, `[\cmd.exe]`},
		{`a*b?c`, `[a]*[b]?[c]`},
		{`a\*b`, `[a*b]`},
		{`a\\*b`, `[a\]*[b]`},
		{`a\\b`, `[a\b]`},
		{`a\`, `[a\]`},
		{``, ``},
	}
	for _, tt := range tests {
		var got strings.Builder
		for _, p := range parsePattern(tt.value) {
			if p.wild != 0 {
				got.WriteByte(p.wild)
			} else {
				got.WriteString("[" + p.text + "]")
			}
		}
		if got.String() != tt.want {
			t.Errorf("parsePattern(%q) = %s, want %s", tt.value, got.String(), tt.want)
		}
	}
}

func ExampleConvert() {
	results := Convert("proc_creation_win_shadow_copies", []byte(`
title: Shadow copies deleted
level: critical
logsource: {category: process_creation, product: windows}
detection:
  tool: {Image|endswith: '\vssadmin.exe'}
  words: {CommandLine|contains|all: [delete, shadows]}
  condition: tool and words
`))
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	_ = enc.Encode(results[0].Rule.When)
	fmt.Println(results[0].Rule.ID)
	fmt.Print(out.String())
	// Output:
	// proc-creation-win-shadow-copies
	// ((!known(sensor.os) || sensor.os == "windows") && !process.already_running && (iendswith(process.path, `\vssadmin.exe`) && (icontains(process.command_line, "delete") && icontains(process.command_line, "shadows"))))
}

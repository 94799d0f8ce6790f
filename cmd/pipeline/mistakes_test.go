package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edrpipe/internal/golden"
)

// TestMistakes makes every mistake of testdata/mistakes and compares what its author
// is told. A file there has a head:
//
//	command: rules check rules.yaml
//	warnings: true             the mistakes are warned of only
//	good: process.pid == 4     stands for @@ in a set of files that is in order
//	file: rules.yaml           a file; its text follows, @@ in it is the mistake, @dir@ the
//	                           directory of the files
//
// and then mistakes, each the line "=== title", the text for @@, the line "--->", and
// what the command prints. No mistake may pass silently.
func TestMistakes(t *testing.T) {
	files, _ := filepath.Glob("testdata/mistakes/*.txt")
	count := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := parseMistakes(t, name, string(text))
		count += len(b.mistakes)
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			t.Parallel()
			b.run(t)
		})
	}
	if count < leastMistakes {
		t.Errorf("%d mistakes, want at least %d", count, leastMistakes)
	}
}

const leastMistakes = 300

// mistakes is one file of the battery.
type mistakes struct {
	name, head string
	command    []string
	warnings   bool
	good       string
	files      map[string]string
	mistakes   []mistake
}

type mistake struct{ title, text, want string }

func parseMistakes(t *testing.T, name, text string) *mistakes {
	t.Helper()
	b := &mistakes{name: name, files: map[string]string{}}
	head, rest, _ := strings.Cut(text, "\n=== ")
	b.head = head
	file := ""
	for line := range strings.Lines(head + "\n") {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case key == "file":
			file = value
			b.files[file] = ""
		case file != "":
			b.files[file] += line
		case key == "command":
			b.command = strings.Fields(value)
		case key == "warnings":
			b.warnings = true
		case key == "good":
			b.good = strings.ReplaceAll(value, `\n`, "\n")
		default:
			t.Fatalf("%s: %q", name, line)
		}
	}
	for _, part := range strings.Split(rest, "\n=== ") {
		title, more, _ := strings.Cut(part, "\n")
		text, want, _ := strings.Cut(more, "\n--->\n")
		b.mistakes = append(b.mistakes, mistake{title, strings.TrimSuffix(text, "\n--->"), strings.Trim(want, "\n")})
	}
	return b
}

func (b *mistakes) run(t *testing.T) {
	if status, out := b.try(t, b.good); status != exitOK || strings.Contains(out, "warning:") {
		t.Fatalf("%q should be in order:\n%s", b.good, out)
	}
	var page strings.Builder
	page.WriteString(strings.TrimRight(b.head, "\n") + "\n")
	var titles []string
	for _, m := range b.mistakes {
		status, out := b.try(t, m.text)
		switch told := strings.Contains(out, "warning:"); {
		case slices.Contains(titles, m.title):
			t.Errorf("there are two of %q", m.title)
		case b.warnings && (status != exitOK || !told):
			t.Errorf("%s: no warning, or an error, status %d:\n%s", m.title, status, out)
		case !b.warnings && status != exitFailure:
			t.Errorf("%s: not found, status %d:\n%s", m.title, status, out)
		}
		titles = append(titles, m.title)
		page.WriteString("\n=== " + m.title + "\n" + m.text + "\n--->\n" + strings.Trim(out, "\n") + "\n")
	}
	golden.Check(t, b.name, page.String())
}

// try runs the command on the files with a text in its place.
func (b *mistakes) try(t *testing.T, text string) (status int, out string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range b.files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(fill(content, text), "@dir@", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := slices.Clone(b.command)
	for i, arg := range args {
		if _, err := os.Stat(filepath.Join(dir, arg)); err == nil {
			args[i] = filepath.Join(dir, arg)
		}
	}
	var printed bytes.Buffer
	status = run(t.Context(), args, strings.NewReader(""), &printed, &printed)
	return status, strings.ReplaceAll(printed.String(), dir+string(filepath.Separator), "")
}

// fill puts a text for @@; where @@ stands alone on its line, each of the text's lines
// is indented as it was.
func fill(content, text string) string {
	var b strings.Builder
	for line := range strings.Lines(content) {
		if strings.TrimSpace(line) != "@@" {
			b.WriteString(strings.ReplaceAll(line, "@@", text))
			continue
		}
		indent, _, _ := strings.Cut(line, "@@")
		for part := range strings.Lines(text + "\n") {
			b.WriteString(indent + part)
		}
	}
	return b.String()
}

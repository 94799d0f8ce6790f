package lrshell

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edrpipe/pkg/edr"
)

// do runs a line as it would be typed and gives what it printed.
func do(t *testing.T, s *Shell, line string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	s.Out = &out
	words, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Run(t.Context(), words)
	return out.String(), err
}

// must is do for what has to succeed.
func must(t *testing.T, s *Shell, line string) string {
	t.Helper()
	out, err := do(t, s, line)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}

func TestMistakesAreUsage(t *testing.T) {
	s := &Shell{Out: io.Discard, Err: io.Discard, Sensor: edr.Sensor{OS: edr.Windows}}
	for line, want := range map[string]string{
		"lss":                `no command "lss"`,
		"ls a b":             "ls [PATH|PATTERN]",
		"cat":                "cat REMOTE",
		"get":                "get REMOTE [LOCAL]",
		"get a b c":          "get REMOTE [LOCAL]",
		"get --offset=x a":   "offset",
		"rm":                 "rm PATH...",
		"cd":                 "cd DIR",
		"kill":               "kill PID...",
		"kill x":             `"x" is not a process id`,
		"kill 0":             `"0" is not a process id`,
		"kill -- -4":         `"-4" is not a process id`,
		"exec":               "exec COMMAND LINE",
		"exec --nothing x":   "nothing",
		"reg ls":             "reg ls KEY",
		"reg lss a":          `reg has no "lss"`,
		"reg ls a b":         "reg ls takes other arguments",
		"reg set a":          "reg set takes other arguments",
		"reg rm a b":         "reg rm takes other arguments",
		"help nothing":       `no command "nothing"`,
		"help a b":           "help [COMMAND]",
		"memdump":            "memdump REMOTE",
		"archive a b":        "archive LOCAL",
		"exit now":           "exit",
		"pwd --json=perhaps": "perhaps",
	} {
		_, err := do(t, s, line)
		if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want usage with %q", line, err, want)
		}
	}
	if _, err := do(t, s, "exit"); !errors.Is(err, errExit) {
		t.Errorf("exit: %v", err)
	}
}

func TestHelp(t *testing.T) {
	s := &Shell{Err: io.Discard}
	all := must(t, s, "help")
	for _, c := range commands() {
		if !strings.Contains(all, c.Name) || !strings.Contains(all, c.Summary) {
			t.Errorf("help does not list %s", c.Name)
		}
		if one := must(t, s, "help "+c.Name); !strings.Contains(one, c.Summary) || !strings.Contains(one, "--json") {
			t.Errorf("help %s says\n%s", c.Name, one)
		}
	}
	for alias, name := range aliases {
		if _, ok := lookup(name); !ok {
			t.Errorf("%s stands for %s, which is no command", alias, name)
		}
		if must(t, s, "help "+alias) != must(t, s, "help "+name) {
			t.Errorf("%s is not %s", alias, name)
		}
	}
	if got := must(t, s, "get --help"); !strings.Contains(got, "--offset") {
		t.Errorf("get --help says\n%s", got)
	}
}

func TestFiles(t *testing.T) {
	s, _ := shell(t)
	dir := t.TempDir()
	local := filepath.Join(dir, "up.bin")
	content := []byte("0123456789\x00\xffend")
	if err := os.WriteFile(local, content, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, s, `cd C:\Windows\Temp`)
	if got := must(t, s, "pwd"); got != "C:\\Windows\\Temp\\\n" {
		t.Errorf("pwd prints %q", got)
	}
	if got := must(t, s, "put "+local); !strings.Contains(got, `C:\Windows\Temp\up.bin: 15 bytes, sha256 `) {
		t.Errorf("put prints %q", got)
	}
	if _, err := do(t, s, "put "+local); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "-f overwrites") {
		t.Errorf("put over a file: %v", err)
	}
	must(t, s, "put -f "+local)
	must(t, s, "put -f "+local+" never-there.bin") // nothing to overwrite is no failure
	must(t, s, "mkdir sub")
	must(t, s, `put `+local+` sub\`)
	if got := must(t, s, `cat sub\up.bin`); got != string(content) {
		t.Errorf("cat prints %q", got)
	}

	down := filepath.Join(dir, "new") + "/"
	must(t, s, "get up.bin "+down)
	if got, err := os.ReadFile(filepath.Join(dir, "new", "up.bin")); err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := do(t, s, "get up.bin "+down); !errors.Is(err, fs.ErrExist) {
		t.Errorf("get over a file: %v", err)
	}
	must(t, s, "get -f --offset=3 --count=4 up.bin "+down)
	if got, _ := os.ReadFile(filepath.Join(dir, "new", "up.bin")); string(got) != "3456" {
		t.Errorf("a part is %q, want 3456", got)
	}
	// What fails leaves nothing behind, not even a part.
	if _, err := do(t, s, "get nothing.bin "+down); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get of no file: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "new")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := do(t, s, "put "+dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("put of a directory: %v", err)
	}
	if _, err := do(t, s, "put "+filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("put of no file: %v", err)
	}

	// Standard input and output, and the bytes of files apart from what is printed.
	s.In = strings.NewReader("from input")
	must(t, s, "put - typed.txt")
	var data bytes.Buffer
	s.Data = &data
	if printed := must(t, s, "get typed.txt -"); printed != "" || data.String() != "from input" {
		t.Errorf("get to standard output wrote %q, and printed %q", data.String(), printed)
	}
	data.Reset()
	if printed := must(t, s, "cat typed.txt"); printed != "" || data.String() != "from input" {
		t.Errorf("cat wrote %q, and printed %q", data.String(), printed)
	}

	must(t, s, `rm typed.txt up.bin`)
	if got := must(t, s, "ls"); strings.Contains(got, "typed.txt") || !strings.Contains(got, `sub\`) || !strings.Contains(got, "never-there.bin") {
		t.Errorf("ls prints\n%s", got)
	}
	if _, err := do(t, s, "rm up.bin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rm of no file: %v", err)
	}
	if _, err := do(t, s, `cd C:\nowhere`); err == nil {
		t.Error("cd to no directory succeeds")
	}
	if got := must(t, s, "pwd"); got != "C:\\Windows\\Temp\\\n" {
		t.Errorf("a failed cd went to %q", got)
	}
}

func TestListings(t *testing.T) {
	s, _ := shell(t)
	with, without := must(t, s, `ls C:\Users\`), must(t, s, `ls C:\Users`)
	if with != without || !strings.Contains(with, `alice\`) {
		t.Errorf("a directory's content depends on the last separator:\n%s%s", with, without)
	}
	if got := must(t, s, `ls C:\Win*`); !strings.Contains(got, `Windows\`) || strings.Contains(got, "Users") {
		t.Errorf("a pattern lists\n%s", got)
	}
	var entries []edr.DirEntry
	if err := json.Unmarshal([]byte(must(t, s, `ls --json C:\Users`)), &entries); err != nil || !slices.ContainsFunc(entries, func(e edr.DirEntry) bool { return e.Name == "alice" && e.Dir }) {
		t.Errorf("as JSON: %v, %v", entries, err)
	}
	if s.JSON {
		t.Error("--json of one command is kept for the next")
	}
	paths := strings.Split(must(t, s, `walk C:\Users`), "\n")
	if !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(strings.ToLower(p), `c:\users\alice`) }) {
		t.Errorf("walk lists %q", paths)
	}
	var all []struct{ Path string }
	if err := json.Unmarshal([]byte(must(t, s, `walk --json C:\Users`)), &all); err != nil || len(all) != len(paths)-1 {
		t.Errorf("walk as JSON lists %d, as text %d, %v", len(all), len(paths)-1, err)
	}
	if got := must(t, s, "drives"); !strings.Contains(got, `C:\`) {
		t.Errorf("drives prints %q", got)
	}
	if got := must(t, s, "info"); !strings.Contains(got, s.Sensor.Hostname) || !strings.Contains(got, "memdump") {
		t.Errorf("info prints\n%s", got)
	}
}

func TestProcesses(t *testing.T) {
	s, _ := shell(t)
	all := must(t, s, "ps")
	var some []edr.Process
	if err := json.Unmarshal([]byte(must(t, s, "ps --json EXPLORER")), &some); err != nil || len(some) == 0 {
		t.Fatalf("ps with a text in capitals: %v, %v", some, err)
	}
	for _, p := range some {
		if !strings.Contains(strings.ToLower(p.Path+p.CommandLine+p.User), "explorer") {
			t.Errorf("ps explorer lists %+v", p)
		}
	}
	if !strings.Contains(all, "Explorer.EXE") || strings.Count(all, "\n") < len(some)+2 {
		t.Errorf("ps prints\n%s", all)
	}
	if got := must(t, s, "ps --json no-such-text"); strings.TrimSpace(got) != "[]" {
		t.Errorf("nothing is listed as %q, want an empty list", got)
	}
	started := must(t, s, "exec -d notepad.exe")
	pid, found := strings.CutPrefix(strings.TrimSpace(started), "pid ")
	if !found {
		t.Fatalf("exec -d prints %q", started)
	}
	must(t, s, "kill "+pid)
	if _, err := do(t, s, "kill "+pid); err == nil {
		t.Error("a process that has ended was killed")
	}
	if _, err := do(t, s, "kill "+pid+" x"); err == nil {
		t.Error("killed none, and says nothing")
	}
	if got := must(t, s, "exec cmd /c echo hello"); !strings.Contains(got, "hello") {
		t.Errorf("exec prints %q", got)
	}
	var result struct {
		Output string
	}
	if err := json.Unmarshal([]byte(must(t, s, "exec --json cmd /c echo hello")), &result); err != nil || !strings.Contains(result.Output, "hello") {
		t.Errorf("exec as JSON: %+v, %v", result, err)
	}
}

func TestRegistry(t *testing.T) {
	s, _ := shell(t)
	const key = `HKLM\Software\Made`
	must(t, s, "reg create "+key)
	must(t, s, `reg set `+key+`\text hello`)
	must(t, s, `reg set -t reg_dword `+key+`\number 7`)
	must(t, s, `reg set `+key+`\list one "two words"`)
	must(t, s, `reg set -t REG_MULTI_SZ `+key+`\single one`)
	listed := must(t, s, "reg ls "+key+`\`)
	for _, want := range []string{"hello", "REG_DWORD", "REG_MULTI_SZ", `"one" "two words"`} {
		if !strings.Contains(listed, want) {
			t.Errorf("reg ls has no %q:\n%s", want, listed)
		}
	}
	if got := must(t, s, `reg query `+key+`\single`); !strings.Contains(got, "REG_MULTI_SZ") || !strings.Contains(got, `"one"`) {
		t.Errorf("a list of one is %q", got)
	}
	if _, err := do(t, s, `reg set `+key+`\text other`); err == nil {
		t.Error("a value was overwritten without -f")
	}
	must(t, s, `reg set -f `+key+`\text other`)
	if got := must(t, s, `reg query `+key+`\text`); !strings.Contains(got, "other") {
		t.Errorf("reg query prints %q", got)
	}
	must(t, s, `reg rmvalue `+key+`\text`)
	if _, err := do(t, s, `reg query `+key+`\text`); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a value that was removed: %v", err)
	}
	must(t, s, "reg rm "+key)
	if _, err := do(t, s, "reg ls "+key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key that was removed: %v", err)
	}
	if got := valueRow(edr.RegistryValue{Type: "REG_SZ", Data: "a\x1bb"}); got[0] != "(default)" || strings.Contains(got[2].(string), "\x1b") {
		t.Errorf("the default value is shown as %q", got)
	}
}

func TestDumpAndArchive(t *testing.T) {
	s, _ := shell(t)
	must(t, s, `cd C:\Windows\Temp`)
	if got := must(t, s, "memdump -z mem.dmp"); got != "C:\\Windows\\Temp\\mem.dmp.zip\n" {
		t.Errorf("memdump prints %q", got)
	}
	file := filepath.Join(t.TempDir(), "session.tar.gz")
	var made struct {
		Path string
		Size int64
	}
	if err := json.Unmarshal([]byte(must(t, s, "archive --json "+file)), &made); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Size() != made.Size || made.Size == 0 || made.Path != file {
		t.Errorf("archive says %+v, %v", made, err)
	}
	if _, err := do(t, s, "archive "+file); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an archive over a file: %v", err)
	}
}

// TestScripts: comments and blank lines count as lines, exit ends, an open quote is
// told with its line.
func TestScripts(t *testing.T) {
	s, _ := shell(t)
	var out bytes.Buffer
	s.Out = &out
	if err := s.Script(t.Context(), []string{"", "  # nothing", `cd "C:\Program Files"`, "pwd", "exit", "rm nothing"}); err != nil || out.String() != "C:\\Program Files\\\n" {
		t.Errorf("printed %q, %v", out.String(), err)
	}
	if err := s.Script(t.Context(), []string{"pwd", "", `cd "C:\`}); err == nil || !strings.HasPrefix(err.Error(), "line 3: ") {
		t.Errorf("an open quote: %v", err)
	}
	// At the prompt completion leaves a quote open below a directory.
	if err := s.line(t.Context(), `cd "C:\Users\`); err != nil || s.cwd != `C:\Users\` {
		t.Errorf("in %q, %v", s.cwd, err)
	}
	if err := s.line(t.Context(), "   "); err != nil {
		t.Errorf("a blank line: %v", err)
	}
}

func TestQuotedWordsAreReadBack(t *testing.T) {
	for _, word := range []string{"a", "a b", `C:\Program Files\`, "it's", `say "hi"`, ""} {
		words, err := split(quoteWord(word))
		if err != nil || len(words) != 1 || words[0] != word {
			t.Errorf("%q is quoted as %q and read as %q, %v", word, quoteWord(word), words, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 1 << 30: "1 GiB", 1 << 40: "1 TiB", 5 << 50: "5120 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%v is %q, want %q", n, got, want)
		}
	}
}

// TestUploadsCanBeRepeated: a file can be read again from its begin, and the count of
// what was sent begins again with it; what cannot is not said to be able to.
func TestUploadsCanBeRepeated(t *testing.T) {
	s := &Shell{Err: io.Discard}
	b := s.bar("put", 10)
	r := b.reading(strings.NewReader("0123456789"))
	if _, err := io.CopyN(io.Discard, r, 7); err != nil || b.n != 7 {
		t.Fatalf("%d bytes, %v", b.n, err)
	}
	if _, err := r.(io.Seeker).Seek(0, io.SeekStart); err != nil || b.n != 0 {
		t.Errorf("%d bytes after going back, %v", b.n, err)
	}
	if _, ok := b.reading(io.MultiReader()).(io.Seeker); ok {
		t.Error("what cannot be read again says it can")
	}
}

package lrshell

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"edrpipe/internal/printable"
	"edrpipe/pkg/edr"
	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWords(t *testing.T) {
	tests := map[string]struct {
		line string
		want []string
		bad  bool
	}{
		"plain":                    {line: "ls  a b", want: []string{"ls", "a", "b"}},
		"backslashes":              {line: `cd C:\Windows\`, want: []string{"cd", `C:\Windows\`}},
		"quotes":                   {line: `get "C:\Program Files\a" 'b c'`, want: []string{"get", `C:\Program Files\a`, "b c"}},
		"quotes within":            {line: `ls C:\"Program Files"\`, want: []string{"ls", `C:\Program Files\`}},
		"empty word":               {line: `put "" x`, want: []string{"put", "", "x"}},
		"open quote":               {line: `ls "a`, bad: true},
		"exec keeps its line":      {line: `exec cmd /c echo "a  b" | more`, want: []string{"exec", `cmd /c echo "a  b" | more`}},
		"exec with an option":      {line: `exec -d notepad "x y"`, want: []string{"exec", "-d", `notepad "x y"`}},
		"exec, end of options":     {line: `exec -- -odd.exe -x`, want: []string{"exec", "--", `-odd.exe -x`}},
		"exec by another name":     {line: `run a  b`, want: []string{"run", "a  b"}},
		"exec with an option's ws": {line: `exec --workdir="C:\a b" x`, want: []string{"exec", `--workdir=C:\a b`, "x"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.line)
			if (err != nil) != tt.bad || !tt.bad && !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestRemotePaths(t *testing.T) {
	tests := []struct {
		os              edr.OS
		cwd, path, want string
	}{
		{edr.Windows, `C:\Windows\`, `a`, `C:\Windows\a`},
		{edr.Windows, `C:\Windows\`, `..`, `C:\`},
		{edr.Windows, `C:\Windows\`, `..\x\.\y`, `C:\x\y`},
		{edr.Windows, `C:\Windows\`, `..\..\..`, `C:\`},
		{edr.Windows, `D:\a\`, `\x`, `D:\x`},
		{edr.Windows, `D:\a\`, `c:/x/`, `c:\x\`},
		{edr.Windows, `D:\a\`, `c:`, `c:\`},
		{edr.Windows, `D:\a\`, `\\.\PhysicalDrive0`, `\\.\PhysicalDrive0`},
		{edr.Windows, `D:\a\`, ``, `D:\a\`},
		{edr.Windows, `D:\a\`, `*.exe`, `D:\a\*.exe`},
		{edr.Linux, `/var/`, `log/`, `/var/log/`},
		{edr.Linux, `/var/`, `/etc//passwd`, `/etc/passwd`},
		{edr.Linux, `/var/log/`, `../..`, `/`},
		{edr.Linux, `/var/`, ``, `/var/`},
		{edr.Linux, `/var/`, `a\b`, `/var/a\b`},
	}
	for _, tt := range tests {
		s := &Shell{Sensor: edr.Sensor{OS: tt.os}, cwd: tt.cwd}
		if got := s.abs(tt.path); got != tt.want {
			t.Errorf("%s: %q in %q is %q, want %q", tt.os, tt.path, tt.cwd, got, tt.want)
		}
	}
}

func TestCommandLines(t *testing.T) {
	tests := []struct {
		os   edr.OS
		args []string
		want string // empty: refused
	}{
		{edr.Windows, []string{`cmd /c "echo x"`}, `cmd /c "echo x"`},
		{edr.Windows, []string{"cmd.exe", "/c", "echo", "a b"}, `cmd.exe /c echo "a b"`},
		{edr.Windows, []string{"x", `C:\a b\`}, `x "C:\a b\\"`},
		{edr.Windows, []string{"x", `say "hi"`}, ""},
		{edr.Windows, []string{"x", ""}, `x ""`},
		{edr.Linux, []string{"echo", "it's"}, `echo 'it'\''s'`},
	}
	for _, tt := range tests {
		got, err := commandLine(tt.os, tt.args)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q becomes %q, %v, want %q", tt.args, got, err, tt.want)
		}
	}
}

func TestTextOfEndpointsIsHarmless(t *testing.T) {
	if got := printable.Line("a\x1b[2J\nb\u202e"); strings.ContainsAny(got, "\x1b\n\u202e") || !strings.HasPrefix(got, "a\\u001b") {
		t.Errorf("%q", got)
	}
	if got := printable.Text("one\ttwo\r\nthree\x07"); got != "one\ttwo\nthree\\u0007" {
		t.Errorf("%q", got)
	}
	for _, base := range []string{"", "..", "a/b", "."} {
		if name, err := localName(base, nil); err == nil {
			t.Errorf("remote name %q becomes local %q", base, name)
		}
	}
}

// shell returns a shell on sensor 1 of a simulated server.
func shell(t *testing.T) (*Shell, *bytes.Buffer) {
	t.Helper()
	sim := edrsim.New(edrsim.Config{TimeScale: 100, CheckIn: 3 * time.Second}).Start()
	t.Cleanup(sim.Close)
	c, err := lr.New(lr.Config{URL: sim.URL, Token: sim.Token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	sensor, err := c.Sensor(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &Shell{Client: c, Sensor: sensor, Endpoint: c.Endpoint("1"), In: strings.NewReader(""), Out: &out, Err: io.Discard}
	t.Cleanup(func() { _ = s.Endpoint.Close(t.Context()) })
	return s, &out
}

func TestCompletion(t *testing.T) {
	s, _ := shell(t)
	if err := s.Run(t.Context(), []string{"cd", `C:\`}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		line string
		want string // one of the candidates
	}{
		{"", "ls"},
		{"ls ", `Windows\`},
		{`ls C:\Wi`, `C:\Windows\`},
		{`cd "C:\Prog`, `"C:\Program Files\`},
		{`cd "C:\Program Files\Win`, `"C:\Program Files\Windows Defender\`},
		{`cd c:\users\al`, `c:\users\alice\`},
		{"kill ", "4"},
		{"help ", "walk"},
		{"reg ", "query"},
		{"put shell_t", "shell_test.go"},
	}
	for _, tt := range tests {
		word := lastWord(tt.line)
		words, _ := split(tt.line[:len(tt.line)-len(word)])
		got, _ := s.candidates(t.Context(), words, unquote(word))
		if !slices.Contains(got, tt.want) {
			t.Errorf("%q may become %q, want %q among them", tt.line, got, tt.want)
		}
	}
}

func TestScriptStopsAtTheFirstFailure(t *testing.T) {
	s, out := shell(t)
	s.JSON = true
	err := s.Script(t.Context(), []string{"# comment", "pwd", `rm C:\nothing`, "drives"})
	var refused *edr.ResultError
	if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "line 3: ") || strings.Contains(out.String(), "D:") {
		t.Errorf("got %v, printed %s", err, out)
	}
}

// TestProgress draws on what says it is a terminal, and cleans up.
func TestProgress(t *testing.T) {
	s, _ := shell(t)
	var drawn bytes.Buffer
	s.Err, s.Progress = &drawn, true
	local := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(local, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context(), []string{"put", local, `C:\Windows\Temp\x`}); err != nil {
		t.Fatal(err)
	}
	if got := drawn.String(); !strings.Contains(got, "%  put x  ") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("drew %q", got)
	}
}

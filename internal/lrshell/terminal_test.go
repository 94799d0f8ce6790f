package lrshell

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"edrpipe/pkg/edrsim"
	"edrpipe/pkg/lr"
)

// atTerminal names the variable by which the test's own program is the shell.
const atTerminal = "EDRPIPE_TEST_SHELL"

// TestTypedTextArrives: what is typed at a terminal is what the endpoint is asked
// for, in every script, also where a character has the eighth bit alone.
func TestTypedTextArrives(t *testing.T) {
	if os.Getenv(atTerminal) != "" {
		serveShell(t)
		return
	}
	sim := edrsim.New(edrsim.Config{TimeScale: 100, CheckIn: 3 * time.Second}).Start()
	t.Cleanup(sim.Close)
	program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTypedTextArrives$")
	program.Env = append(os.Environ(), atTerminal+"="+sim.URL, "EDRPIPE_TEST_TOKEN="+sim.Token, "TERM=xterm", "INPUTRC="+filepath.Join(t.TempDir(), "none"))
	terminal, err := pty.StartWithSize(program, &pty.Winsize{Rows: 24, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	const name = "Jürgen é ß ñ ÿ 検証 Ж"
	typed := []rune(`mkdir "c:\windows\temp\` + name + "\"\rexit\r")
	buf, screen := make([]byte, 4096), ""
	for {
		n, err := terminal.Read(buf)
		if err != nil {
			break // the shell has ended
		}
		screen += string(buf[:n])
		for strings.Contains(screen, "\x1b[6n") { // the line editor asks where the cursor is
			screen = strings.Replace(screen, "\x1b[6n", "", 1)
			_, _ = terminal.WriteString("\x1b[1;1R")
		}
		if strings.Contains(screen, "\x1b[?25h") && len(typed) > 0 { // it has drawn the line, and waits
			_, _ = terminal.WriteString(string(typed[0]))
			screen, typed = "", typed[1:]
		}
	}
	if err := program.Wait(); err != nil {
		t.Error(err)
	}
	var made []string
	for _, e := range sim.Counters().Executions {
		if e.Command == "create directory" {
			made = append(made, e.Object)
		}
	}
	if want := []string{`c:\windows\temp\` + name}; !slices.Equal(made, want) {
		t.Errorf("made %q, want %q", made, want)
	}
}

func serveShell(t *testing.T) {
	c, err := lr.New(lr.Config{URL: os.Getenv(atTerminal), Token: os.Getenv("EDRPIPE_TEST_TOKEN")})
	if err != nil {
		t.Fatal(err)
	}
	sensor, err := c.Sensor(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	s := &Shell{Client: c, Sensor: sensor, Endpoint: c.Endpoint("1"), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if err := errors.Join(s.Interactive(t.Context(), ""), s.Endpoint.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	os.Exit(0) // the line editor still reads the terminal
}

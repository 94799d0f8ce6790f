//go:build unix

package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestExamplesOfTheHelp runs each example that the help of a command shows, as a shell
// runs it, in a directory of its own with the files that the examples name, beside one
// service. An example that does not end by itself is interrupted after the output that
// helpEndless names. Those that change what others look at come first, one by one.
func TestExamplesOfTheHelp(t *testing.T) {
	t.Parallel()
	lines := helpExamples(t, newRootCommand())
	w := newHelpWorld(t)
	used := map[string]bool{}
	for _, line := range lines {
		e := w.example(line, used)
		t.Run(strings.TrimPrefix(line, "pipeline "), func(t *testing.T) {
			if !alone.MatchString(line) {
				t.Parallel()
			}
			e.run(t, w)
		})
	}
	for _, name := range w.entries() {
		if !used[name] {
			t.Errorf("no example needs the entry %q", name)
		}
	}
}

// alone matches the examples that change what others look at, or need a sensor for themselves.
var alone = regexp.MustCompile(`^pipeline (stop|resume|dry-run|events dead|lr) ?`)

// helpExamples lists the lines of all examples once, in the order of the commands.
func helpExamples(t *testing.T, cmd *cobra.Command) []string {
	var lines []string
	seen := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		own := false
		for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", " ")) {
			line = strings.TrimSpace(line)
			own = own || strings.Contains(line, cmd.CommandPath()) || strings.Contains(line, "/"+cmd.CommandPath())
			if line != "" && !seen[line] {
				seen[line] = true
				lines = append(lines, line)
			}
		}
		if cmd.HasParent() && !own {
			t.Errorf("the help of %q has no example of it", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(cmd)
	return lines
}

// helpExample is a line and what is made ready for it.
type helpExample struct {
	line    string
	replace []string // what is called otherwise here
	prepare []func(t *testing.T, w *helpWorld, dir string) (replace []string)
	until   *regexp.Regexp // output after which it is interrupted; nil: it ends by itself
	refused string         // it fails and says so; empty: it succeeds
}

// endlessFor is how long an example goes on at least that is said not to end.
const endlessFor = 200 * time.Millisecond

// run runs the example in a copy of the prepared directory.
func (e helpExample) run(t *testing.T, w *helpWorld) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.files)); err != nil {
		t.Fatal(err)
	}
	replace := append([]string{"DIR", dir}, e.replace...)
	for _, prepare := range e.prepare {
		replace = append(replace, prepare(t, w, dir)...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	line := strings.NewReplacer(replace...).Replace(e.line)
	seen := &watchedOutput{until: e.until, found: make(chan struct{})}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, w.environ(dir), seen, seen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal reaches each part of a pipe
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		e.judge(t, line, err, seen.String())
	case <-seen.found:
		select {
		case err := <-ended: // so it would have without an interrupt
			e.judge(t, line, err, seen.String())
			return
		case <-time.After(endlessFor):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // its parts may have ended
		if err := <-ended; ctx.Err() != nil {
			t.Errorf("%s\ndoes not end when it is interrupted (%v):\n%s", line, err, seen)
		}
	}
}

// judge is about an example that has ended by itself.
func (e helpExample) judge(t *testing.T, line string, err error, printed string) {
	t.Helper()
	switch {
	case e.until != nil:
		t.Errorf("%s\nended by itself, and is listed as endless with %q (%v):\n%s", line, e.until, err, printed)
	case e.refused != "" && (err == nil || !strings.Contains(printed, e.refused)):
		t.Errorf("%s\nwant that it fails and says %q: %v:\n%s", line, e.refused, err, printed)
	case e.refused == "" && err != nil:
		t.Errorf("%s\n%v:\n%s", line, err, printed)
	}
}

// watchedOutput keeps what is printed, and closes found when it has a text.
type watchedOutput struct {
	until *regexp.Regexp
	found chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	done bool
}

// Write implements io.Writer.
func (o *watchedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if !o.done && o.until != nil && o.until.Match(o.text.Bytes()) {
		o.done = true
		close(o.found)
	}
	return len(p), nil
}

func (o *watchedOutput) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := o.text.String()
	return text[max(0, len(text)-3000):]
}

// example finds what the tables have for a line, and marks it as used.
func (w *helpWorld) example(line string, used map[string]bool) helpExample {
	e := helpExample{line: line}
	for i := 0; i < len(w.names); i += 2 {
		if strings.Contains(line, w.names[i]) {
			used[w.names[i]] = true
			e.replace = append(e.replace, w.names[i], w.names[i+1])
		}
	}
	for name, prepare := range helpPrepared {
		if strings.Contains(line, name) {
			used[name] = true
			e.prepare = append(e.prepare, prepare)
		}
	}
	if e.refused = helpRefused[line]; e.refused != "" {
		used[line] = true
	}
	for name, until := range helpEndless {
		if line == name {
			used[name] = true
			e.until = regexp.MustCompile(until)
		}
	}
	return e
}

// entries are the names in the tables.
func (w *helpWorld) entries() []string {
	var all []string
	for i := 0; i < len(w.names); i += 2 {
		all = append(all, w.names[i])
	}
	all = slices.AppendSeq(all, maps.Keys(helpPrepared))
	return slices.AppendSeq(slices.AppendSeq(all, maps.Keys(helpEndless)), maps.Keys(helpRefused))
}

// environ is what the examples find: the service, the EDR server, and a docker that
// runs what it is given here.
func (w *helpWorld) environ(dir string) []string {
	return append(os.Environ(), "HOME="+dir, "PATH="+filepath.Join(w.files, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"EDRPIPE_URL="+w.url, "EDRPIPE_TOKEN="+w.asks.Token, "EDRPIPE_EDR_URL="+w.sim.URL, "EDRPIPE_EDR_TOKEN="+w.sim.Token)
}

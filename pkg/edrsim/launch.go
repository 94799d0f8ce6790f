package edrsim

import (
	"path"
	"strings"
	"time"
)

// createProcess starts a program. Without wait the command is done as soon as the
// process exists; its output appears when the process ends.
func createProcess(x *execution) (time.Duration, work) {
	e, at := x.endpoint, x.at
	p := &running{e: e, at: at, cwd: e.cwd}
	image, f := p.prepare(x.req.object(), x.req.WorkDir)
	if f == success && x.req.OutputFile != "" {
		f = e.writable(x.req.OutputFile)
	}
	if f != success {
		return refuse(f)(x)
	}
	code := p.exec(image)
	took := 20*time.Millisecond + p.took
	proc := process{parent: e.agent(), path: e.imagePath(image), line: x.req.object(), user: userSystem, sid: sidSystem, started: at, ends: at.Add(took)}
	if !e.windows {
		proc.user, proc.sid = "root", "0"
	}
	if p.stays {
		proc.ends = time.Time{}
	}
	pid := e.spawn(proc).pid
	output := x.req.OutputFile
	save := func() {
		if output != "" && (p.out.Len() > 0 || x.session.srv.as.emptyOutput == "file") {
			e.write(output, bytesBlob([]byte(p.out.String())), true, at.Add(took))
		}
	}
	e.later = append(e.later, effect{at.Add(took), save})
	if !x.req.Wait {
		return 0, func(time.Time) (map[string]any, failure) { return map[string]any{"pid": pid}, success }
	}
	if p.stays {
		took = 24 * time.Hour // its window stays open
	}
	return took, func(time.Time) (map[string]any, failure) {
		return map[string]any{"pid": pid, "return_code": code}, success
	}
}

// running is a program while it runs; everything it does happens at its start,
// but for the output file.
type running struct {
	e     *endpoint
	at    time.Time
	cwd   string
	argv  []string
	line  string // the command line
	out   strings.Builder
	took  time.Duration
	stays bool // until it is killed
	depth int  // of shells within shells
}

// prepare parses a command line and finds its program.
func (p *running) prepare(line, dir string) (image string, f failure) {
	if dir != "" {
		n, f := p.e.file(dir)
		if f != success || !n.dir {
			return "", errDirectory
		}
		p.cwd = strings.TrimRight(dir, `\/`)
	}
	p.line = strings.TrimSpace(line)
	p.argv = splitCommandLine(p.line, p.e.windows)
	if len(p.argv) == 0 {
		return "", errNotFound
	}
	image, f = p.find(p.argv[0])
	if f != success {
		return "", f
	}
	if n, _ := p.e.file(image); !runnable(image, n.data, p.e.windows) {
		return "", errBadExe
	}
	return image, success
}

// find resolves a program's name as the platform does.
func (p *running) find(name string) (string, failure) {
	if p.e.windows {
		return p.findWindows(name)
	}
	if strings.Contains(name, "/") {
		n, f := p.e.file(name)
		if f == success && n.dir {
			f = errAccessDenied
		}
		return name, f
	}
	for _, dir := range []string{"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"} {
		if n, f := p.e.file(dir + name); f == success && !n.dir {
			return dir + name, success
		}
	}
	return "", errNotFound
}

func (p *running) findWindows(name string) (string, failure) {
	dirs := []string{""}
	if !strings.ContainsAny(name, `\/:`) {
		dirs = []string{p.cwd + `\`, `C:\Windows\System32\`, `C:\Windows\`, `C:\Windows\System32\wbem\`, `C:\Windows\System32\WindowsPowerShell\v1.0\`}
	}
	f := errNotFound
	for _, dir := range dirs {
		for _, ext := range []string{"", ".exe"} {
			n, got := p.e.file(dir + name + ext)
			if got == success && !n.dir {
				return dir + name + ext, success
			}
			if dir == "" {
				f = got
			}
			if got == success {
				f = errAccessDenied
			}
		}
	}
	return "", f
}

// runnable reports whether a file is a program or a script.
func runnable(image string, data blob, windows bool) bool {
	head := data.text(4)
	if windows {
		ext := strings.ToLower(path.Ext(image))
		return strings.HasPrefix(head, "MZ") || ext == ".bat" || ext == ".cmd"
	}
	return strings.HasPrefix(head, "#!") || strings.HasPrefix(head, elfMagic[:4]) || strings.HasPrefix(head, machoMagic[:4])
}

// exec runs a program or script and returns its exit code. An undescribed program
// succeeds without effect.
func (p *running) exec(image string) int {
	name := strings.ToLower(baseName(image))
	n, f := p.e.file(image)
	if f == success && (strings.HasSuffix(name, ".bat") || strings.HasSuffix(name, ".cmd") || n.data.text(2) == "#!") {
		return p.script(n.data.text(64 << 10))
	}
	if do, ok := programs()[strings.TrimSuffix(name, ".exe")]; ok {
		return do(p)
	}
	p.took += 100 * time.Millisecond
	return 0
}

// script runs a file's lines one by one.
func (p *running) script(text string) int {
	code := 0
	for line := range strings.Lines(text) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "@")
		if line == "" || strings.HasPrefix(line, "#") || strings.EqualFold(line, "echo off") || strings.HasPrefix(strings.ToLower(line), "rem ") {
			continue
		}
		code = p.shell(line)
	}
	return code
}

func (p *running) print(lines ...string) {
	end := "\n"
	if p.e.windows {
		end = "\r\n"
	}
	for _, l := range lines {
		p.out.WriteString(strings.ReplaceAll(l, "\n", end) + end)
	}
}

// args are the arguments joined as they were given, less quotes.
func (p *running) args() string { return strings.Join(p.argv[1:], " ") }

// writable checks that a file can be written at a path without writing it.
func (e *endpoint) writable(p string) failure {
	before := e.root
	f := e.write(p, blob{}, true, e.booted)
	e.root = before
	return f
}

// agent is the PID of the sensor's own process, the parent of what it starts.
func (e *endpoint) agent() int {
	for _, p := range e.procs {
		switch strings.ToLower(baseName(p.path)) {
		case "cb.exe", "cbdaemon", "cbosxsensorservice":
			return p.pid
		}
	}
	return e.procs[0].pid
}

// imagePath is a program's full path in the form process lists have.
func (e *endpoint) imagePath(image string) string {
	folded, _, _ := e.split(image)
	if e.windows {
		return strings.Join(folded, `\`)
	}
	return "/" + strings.Join(folded, "/")
}

// splitCommandLine splits at blanks outside quotes. Single quotes count on Unix
// only, backslashes are ordinary except before a double quote.
func splitCommandLine(line string, windows bool) []string {
	var argv []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, r := range line {
		switch {
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				argv = append(argv, word.String())
				word.Reset()
				inWord = false
			}
		case quote == 0 && (r == '"' || r == '\'' && !windows):
			quote, inWord = r, true
		case r == quote && quote != 0:
			quote = 0
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		argv = append(argv, word.String())
	}
	return argv
}

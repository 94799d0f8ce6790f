package edrsim

import (
	"regexp"
	"strings"
	"time"
)

// maxDepth bounds shells that start shells.
const maxDepth = 8

// shell runs one line as cmd.exe or sh do: commands joined by & && || ; with the
// redirections > and >>.
func (p *running) shell(line string) int {
	if p.depth++; p.depth > maxDepth {
		return 1
	}
	defer func() { p.depth-- }()
	code := 0
	for _, part := range splitShell(line) {
		if part.op == "&&" && code != 0 || part.op == "||" && code == 0 {
			continue
		}
		code = p.redirected(part.text)
	}
	return code
}

// A shellPart is a command and the operator before it.
type shellPart struct{ op, text string }

// splitShell parts a line at operators outside quotes. Pipes are not split: the
// first command's output is what one sees.
func splitShell(line string) []shellPart {
	var parts []shellPart
	var quote byte
	op, from := "", 0
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '&' && i > 0 && line[i-1] == '>': // 2>&1
		case strings.HasPrefix(line[i:], "&&") || strings.HasPrefix(line[i:], "||"):
			parts = append(parts, shellPart{op, strings.TrimSpace(line[from:i])})
			op, from = line[i:i+2], i+2
			i++
		case c == '&' || c == ';':
			parts = append(parts, shellPart{op, strings.TrimSpace(line[from:i])})
			op, from = string(c), i+1
		}
	}
	return append(parts, shellPart{op, strings.TrimSpace(line[from:])})
}

// redirected runs a command with its redirections.
func (p *running) redirected(text string) int {
	text = strings.TrimSpace(strings.ReplaceAll(text, "2>&1", ""))
	if i := strings.Index(text, " | "); i >= 0 {
		text = text[:i]
	}
	i := strings.IndexByte(text, '>')
	if i < 0 || strings.Count(text[:i], `"`)%2 == 1 {
		return p.command(text)
	}
	command, target := text[:i], strings.TrimSpace(text[i+1:])
	over := !strings.HasPrefix(target, ">")
	target = strings.Trim(strings.TrimLeft(target, "> "), `"'`)
	before := p.out.String()
	p.out.Reset()
	code := p.command(strings.TrimSpace(command))
	printed := p.out.String()
	p.out.Reset()
	p.out.WriteString(before)
	if strings.EqualFold(target, "nul") || target == "/dev/null" {
		return code
	}
	if n, f := p.e.file(p.absolute(target)); !over && f == success {
		printed = n.data.text(1<<20) + printed
	}
	if f := p.e.write(p.absolute(target), bytesBlob([]byte(printed)), true, p.at); f != success {
		p.print("Access is denied.")
		return 1
	}
	return code
}

// absolute resolves a path against the shell's own directory.
func (p *running) absolute(name string) string {
	if p.e.windows {
		if strings.Contains(name, ":") || strings.HasPrefix(name, `\`) {
			return name
		}
		return p.cwd + `\` + name
	}
	if strings.HasPrefix(name, "/") {
		return name
	}
	return p.cwd + "/" + name
}

// command runs a builtin of the shell, or a program.
func (p *running) command(text string) int {
	sub := &running{e: p.e, at: p.at, cwd: p.cwd, depth: p.depth, line: text, argv: splitCommandLine(p.expand(text), p.e.windows)}
	if len(sub.argv) == 0 {
		return 0
	}
	defer func() {
		p.out.WriteString(sub.out.String())
		p.took += sub.took
		p.cwd = sub.cwd
	}()
	if do, ok := builtins()[strings.ToLower(sub.argv[0])]; ok {
		return do(sub)
	}
	image, f := sub.find(sub.argv[0])
	if f != success {
		if p.e.windows {
			sub.print("'"+sub.argv[0]+"' is not recognized as an internal or external command,", "operable program or batch file.")
			return 1
		}
		sub.print("sh: " + sub.argv[0] + ": command not found")
		return 127
	}
	code := sub.exec(image)
	if sub.stays { // a shell does not wait for a window
		sub.took += 10 * time.Millisecond
	}
	return code
}

// variables is the environment that the sensor's service gives its children.
func (p *running) variables() map[string]string {
	if !p.e.windows {
		return map[string]string{"HOME": "/root", "HOSTNAME": p.e.host, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "PWD": p.cwd, "USER": "root"}
	}
	host := strings.ToUpper(p.e.host)
	return map[string]string{
		"ComSpec": `C:\Windows\system32\cmd.exe`, "COMPUTERNAME": host, "OS": "Windows_NT", "PATHEXT": ".COM;.EXE;.BAT;.CMD",
		"Path":                   `C:\Windows\system32;C:\Windows;C:\Windows\System32\Wbem;C:\Windows\System32\WindowsPowerShell\v1.0\`,
		"PROCESSOR_ARCHITECTURE": "AMD64", "ProgramData": `C:\ProgramData`, "ProgramFiles": `C:\Program Files`, "PUBLIC": `C:\Users\Public`,
		"SystemDrive": "C:", "SystemRoot": `C:\Windows`, "TEMP": `C:\Windows\TEMP`, "TMP": `C:\Windows\TEMP`,
		"USERDOMAIN": "WORKGROUP", "USERNAME": host + "$", "windir": `C:\Windows`,
	}
}

// expand replaces variables. Names that are not known stay as they are, as cmd.exe
// leaves them.
func (p *running) expand(text string) string {
	if !p.e.windows {
		text = strings.ReplaceAll(text, "$(hostname)", p.e.host)
		for name, value := range p.variables() {
			text = strings.ReplaceAll(text, "$"+name, value)
		}
		return text
	}
	return windowsVariable.ReplaceAllStringFunc(text, func(use string) string {
		for name, value := range p.variables() {
			if strings.EqualFold(name, use[1:len(use)-1]) {
				return value
			}
		}
		return use
	})
}

var windowsVariable = regexp.MustCompile(`%\w+%`)

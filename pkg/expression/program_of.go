package expression

import (
	"strings"

	"edrpipe/pkg/events"
)

// programOf is the path of the program that a command line, the ImagePath of a service
// or the value of a Run key starts, in the normal form of paths; "" when there is none.
//
// A program in quotes ends with its quote. Without quotes, a path with blanks ends with
// the first of its words that has the ending of a program, as far as the words can
// belong to one path; otherwise the program is the first word.
func programOf(line string) string {
	line = strings.TrimSpace(line)
	if line == "" {
		return ""
	}
	if quote := line[0]; quote == '"' || quote == '\'' {
		program, _, _ := strings.Cut(line[1:], line[:1])
		return writtenOut(strings.TrimSpace(program))
	}
	if strings.HasPrefix(line, "/") {
		return unixWord(line)
	}
	return writtenOut(windowsProgram(line))
}

// programEndings are those of files that Windows starts or loads as they are, and of
// scripts that it starts by their ending.
var programEndings = []string{".exe", ".com", ".bat", ".cmd", ".scr", ".sys", ".dll", ".ps1", ".vbs", ".vbe", ".js", ".jse", ".wsf", ".hta", ".msi", ".cpl", ".lnk", ".pif"}

func windowsProgram(line string) string {
	first := line[:wordEnd(line, 0)]
	if !strings.ContainsAny(first, `\:%`) { // a name: what follows are arguments
		return first
	}
	for from, end := 0, len(first); ; end = wordEnd(line, from) {
		word := strings.TrimSpace(line[from:end])
		if from > 0 && !continuesPath(word) {
			return first
		}
		if hasProgramEnding(line[:end]) {
			return line[:end]
		}
		if end == len(line) {
			return first
		}
		from = end
	}
}

// wordEnd is where the word after the blanks at from ends.
func wordEnd(line string, from int) int {
	at := from
	for at < len(line) && isBlank(line[at]) {
		at++
	}
	for at < len(line) && !isBlank(line[at]) {
		at++
	}
	return at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// continuesPath reports whether a word behind a blank can be of the same path: it is no
// option, nothing in quotes, and no path of its own.
func continuesPath(word string) bool {
	return word != "" && !strings.ContainsAny(word[:1], `-/"'\%`) && !(len(word) > 1 && word[1] == ':')
}

func hasProgramEnding(path string) bool {
	for _, ending := range programEndings {
		if len(path) > len(ending) && strings.EqualFold(path[len(path)-len(ending):], ending) {
			return true
		}
	}
	return false
}

// unixWord is the first word of a shell's command, a backslash before a blank undone.
func unixWord(line string) string {
	var b strings.Builder
	for i := 0; i < len(line) && !isBlank(line[i]); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
		}
		b.WriteByte(line[i])
	}
	return b.String()
}

// places are the beginnings of paths that Windows itself replaces, with what stands for
// them unless Windows was installed elsewhere. Variables of a user stay as they are.
var places = []struct{ written, place string }{
	{`\??\`, ``},
	{`\\?\`, ``},
	{`\systemroot\`, `c:\windows\`},
	{`%systemroot%\`, `c:\windows\`},
	{`%windir%\`, `c:\windows\`},
	{`system32\`, `c:\windows\system32\`}, // an ImagePath is relative to the directory of Windows
	{`syswow64\`, `c:\windows\syswow64\`},
	{`%systemdrive%\`, `c:\`},
	{`%programfiles%\`, `c:\program files\`},
	{`%programfiles(x86)%\`, `c:\program files (x86)\`},
	{`%programdata%\`, `c:\programdata\`},
	{`%allusersprofile%\`, `c:\programdata\`},
}

func writtenOut(path string) string {
	for _, p := range places {
		if len(path) > len(p.written) && strings.EqualFold(path[:len(p.written)], p.written) {
			path = p.place + path[len(p.written):]
		}
	}
	return events.NormalPath(path)
}

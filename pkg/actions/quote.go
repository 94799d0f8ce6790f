package actions

import (
	"errors"
	"fmt"
	"strings"

	"edrpipe/pkg/edr"
)

// Quote builds the command line that runs program with exactly these arguments
// on a platform. What cannot be passed unchanged is an error: an argument never
// becomes two, an option of a shell, or something else to run.
//
//   - Windows has no argument list, only a line that each program splits by
//     itself. Quote writes it for CommandLineToArgvW and the C runtime, which
//     agree on this form. A batch file is run by cmd.exe, which expands %NAME%
//     even inside quotes; there only plain arguments are taken.
//   - Elsewhere every argument is put in single quotes, which no shell looks into.
func Quote(os edr.OS, program string, args ...string) (string, error) {
	if program == "" {
		return "", errors.New("no program to run")
	}
	quote := quotePOSIX
	if os == edr.Windows {
		quote = quoteWindows
	}
	line, err := quote(program, args)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", edr.Quote(shorten(program)), err)
	}
	return line, nil
}

// maxCommandLine is the limit of CreateProcessW in UTF-16 units; bytes are the
// safe side.
const maxCommandLine = 32767

func quoteWindows(program string, args []string) (string, error) {
	// The first word is split by other rules: a quote always ends it.
	if strings.ContainsAny(program, "\"\x00\r\n") {
		return "", errors.New("the program's name holds a quote, NUL or line break")
	}
	var line strings.Builder
	line.WriteString(`"` + program + `"`)
	for _, arg := range args {
		if err := windowsSafe(arg, isBatch(program)); err != nil {
			return "", err
		}
		line.WriteByte(' ')
		writeWindowsArg(&line, arg)
	}
	if line.Len() > maxCommandLine {
		return "", fmt.Errorf("the command line has %d bytes, Windows takes %d", line.Len(), maxCommandLine)
	}
	return line.String(), nil
}

// writeWindowsArg quotes one argument: backslashes are doubled before a quote
// and at the end, quotes are escaped with one more.
func writeWindowsArg(line *strings.Builder, arg string) {
	line.WriteByte('"')
	slashes := 0
	for i := range len(arg) {
		switch arg[i] {
		case '\\':
			slashes++
			continue
		case '"':
			line.WriteString(strings.Repeat(`\`, 2*slashes+1))
		default:
			line.WriteString(strings.Repeat(`\`, slashes))
		}
		slashes = 0
		line.WriteByte(arg[i])
	}
	line.WriteString(strings.Repeat(`\`, 2*slashes))
	line.WriteByte('"')
}

// bestFit lists characters that Windows turns into a quote or a backslash for
// programs that ask for their command line in an ANSI code page: they would
// break out of the quoting after the fact.
const bestFit = "\u02ba\u030e\u201c\u201d\u201e\u2033\u2036\u301d\u301e\u301f\uff02" + // quotes
	"\u00a5\u20a9\u20e5\u2216\u29f5\ufe68\uff3c" // backslashes

func windowsSafe(arg string, batch bool) error {
	switch {
	case strings.ContainsRune(arg, 0):
		return fmt.Errorf("argument %s holds a NUL, which would cut the command line short", edr.Quote(shorten(arg)))
	case strings.ContainsAny(arg, bestFit):
		return fmt.Errorf("argument %s holds a character that Windows may turn into a quote or backslash", edr.Quote(shorten(arg)))
	case batch && strings.ContainsFunc(arg, notPlain):
		return fmt.Errorf("argument %s of a batch file: cmd.exe would interpret it; use a PowerShell script or a program", edr.Quote(shorten(arg)))
	}
	return nil
}

// notPlain reports whether cmd.exe might interpret a character, inside quotes too.
func notPlain(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune(` _-.:\/+@`, r)
}

// isBatch reports whether Windows would hand the program to cmd.exe: CreateProcess
// does so for these two endings, and it drops spaces and dots after them.
func isBatch(program string) bool {
	name := strings.ToLower(strings.TrimRight(program, " ."))
	base := baseName(name)
	return strings.HasSuffix(name, ".bat") || strings.HasSuffix(name, ".cmd") || base == "cmd" || base == "cmd.exe"
}

func quotePOSIX(program string, args []string) (string, error) {
	words := make([]string, 0, 1+len(args))
	for _, word := range append([]string{program}, args...) {
		if strings.ContainsRune(word, 0) {
			return "", fmt.Errorf("argument %s holds a NUL, which would cut it short", edr.Quote(shorten(word)))
		}
		words = append(words, `'`+strings.ReplaceAll(word, `'`, `'\''`)+`'`)
	}
	return strings.Join(words, " "), nil
}
